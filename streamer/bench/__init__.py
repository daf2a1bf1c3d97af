"""The benchmark: the worker beside other ways of doing its job, and beside what cannot be avoided."""
