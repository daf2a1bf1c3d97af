"""What a stage keeps of one partition: states, counters, model, record and status."""
