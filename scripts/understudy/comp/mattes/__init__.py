"""Where the new face is laid: layers, edges, what covers it."""
