"""Skin texture, measured and solved."""
