"""The worker and its peers, run on the same input and checked for the same output."""
