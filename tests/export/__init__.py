"""What leaves a database and comes back: files of the application, files for others, and the way back."""
