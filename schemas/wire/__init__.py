"""Messages as bytes: what is encoded and decoded, and how what arrives malformed is named."""
