"""The heads that only alerts ask: expected spend, next action, next category."""
