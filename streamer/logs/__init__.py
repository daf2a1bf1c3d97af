"""Structured logs without users' data in them."""
