"""A worker: the process that scores partitions and keeps them."""
