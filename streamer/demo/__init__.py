"""The demonstration: a year of a real shop through Kafka and the worker, watched while it happens."""
