"""A user's past: tokens in a ring, and aggregates of all that left it."""
