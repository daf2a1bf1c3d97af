"""Events outside Kafka: files of them, and known data sets."""
