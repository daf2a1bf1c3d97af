"""Keys and values of users between events: a mere cache, rebuilt from tokens when missing."""
