"""The archive's files: written, read by us and by others, tampered with."""
