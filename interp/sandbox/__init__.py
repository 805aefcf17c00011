"""Small models trained here, watched over their checkpoints."""
