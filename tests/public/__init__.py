"""Files of other programs: their public schemas with made-up rows, moved and compared."""
