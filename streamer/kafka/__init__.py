"""The Kafka shell: Faust with batches of records as messages and one transaction a batch."""
