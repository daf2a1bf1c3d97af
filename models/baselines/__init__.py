"""Models of a few lines that a bundle has to beat."""
