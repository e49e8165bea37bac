"""Replace a performer's face on film plates with a cleared talent's face."""
