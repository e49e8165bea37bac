"""Plates and deliverables: movies, image sequences, colour, frame and crop stores."""
