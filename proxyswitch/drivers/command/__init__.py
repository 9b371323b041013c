"""Commands of the person's own."""
