"""What no worker can avoid, each alone in a process: consuming, the step graph, the transaction."""
