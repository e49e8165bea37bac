"""Detection, landmarks, tracks, casting and their geometry."""
