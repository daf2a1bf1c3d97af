"""The alert policy: bands, episodes, decisions."""
