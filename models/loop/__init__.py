"""The training loop: epochs, checkpoints, progress."""
