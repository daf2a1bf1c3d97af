"""The alert policy of a deployment: its file, its document, what its edges mean."""
