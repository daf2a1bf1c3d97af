"""How a deployment is: what each partition says beside its committed offset, and all of it together."""
