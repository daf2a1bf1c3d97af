"""Settings: from the environment, then a TOML file; checked before anything starts."""
