"""Processes that this program starts beside itself, and how they end."""
