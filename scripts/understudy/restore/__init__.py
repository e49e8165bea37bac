"""Who puts detail back into a new face, behind one interface."""
