"""Kafka as everything here speaks to it: connections, topics, offsets, records read and published."""
