"""Other ways of doing the worker's job, each a process as its own documentation would have it."""
