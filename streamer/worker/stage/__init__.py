"""Batches of records to state and messages, one partition at a time. Knows no Kafka."""
