"""How a deployment is: what needs attention, and the words for it."""
