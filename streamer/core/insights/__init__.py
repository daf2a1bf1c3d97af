"""What can be said of a customer beside the risk."""
