"""Who makes the new face, behind one interface."""
