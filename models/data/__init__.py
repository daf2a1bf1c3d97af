"""Histories of users, and the questions asked of them."""
