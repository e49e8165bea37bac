"""The plate's colour and light on the new face."""
