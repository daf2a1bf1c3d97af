"""What is judged offline, on files of events, with the worker's own stage."""
