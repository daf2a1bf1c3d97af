"""Clocks, deadlines and silence."""
