"""Judging risks: a bundle beside its baselines, on cuts whose outcome is known."""
