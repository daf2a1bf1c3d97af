"""A model bundle on disk: manifest, golden vectors, weights."""
