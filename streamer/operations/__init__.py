"""What an operator asks of a deployment and does to it, over Kafka alone."""
