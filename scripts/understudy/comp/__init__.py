"""Mattes, colour, texture, grain, blend and paste: maths on arrays, no files."""
