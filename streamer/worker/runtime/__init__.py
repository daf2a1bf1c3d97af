"""The worker on Faust and Kafka: fetches, inboxes, transactions, stores and recovery. Knows no users."""
