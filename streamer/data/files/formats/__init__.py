"""Rows of each format that files of events come in: their dialects, their columns, their times."""
