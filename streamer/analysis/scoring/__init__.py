"""The worker's own stage, run over files instead of a topic: one truth offline and online."""
