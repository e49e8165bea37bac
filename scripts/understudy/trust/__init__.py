"""Clearances of talents, licences of weights."""
