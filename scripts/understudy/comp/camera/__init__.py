"""What the plate's lens, shutter, codec and film did, done to the new face."""
