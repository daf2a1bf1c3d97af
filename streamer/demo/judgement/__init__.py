"""What the households of the demo really did, and how its alerts stand beside that."""
