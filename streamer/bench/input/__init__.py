"""The shop whose events are raced over, and how they are laid out."""
