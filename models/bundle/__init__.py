"""A trained model as a bundle: graphs, golden vectors, manifest, card."""
