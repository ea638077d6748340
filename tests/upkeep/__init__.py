"""What becomes of rows as they age."""
