"""What the core asks of a model, and the inputs that it gives."""
