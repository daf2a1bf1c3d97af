"""A partition's batches applied to its users, side by side."""
