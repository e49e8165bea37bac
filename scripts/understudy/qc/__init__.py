"""Measures, thresholds and the review page."""
