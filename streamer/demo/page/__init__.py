"""The demo's page and what its browser is sent."""
