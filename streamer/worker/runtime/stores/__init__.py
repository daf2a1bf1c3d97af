"""The local copies of a worker's tables: whose they are, how they are opened, damaged, emptied."""
