"""Exchange of models under load: what operators decide, and how far workers are."""
