"""What the demo has seen of the worker's outputs so far."""
