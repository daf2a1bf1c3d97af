"""What no worker can avoid, each alone in a process of its own: consuming, the step graph, the transaction."""
