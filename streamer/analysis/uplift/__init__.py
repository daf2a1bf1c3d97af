"""What alerts achieve: users who got one beside users who were held out."""
