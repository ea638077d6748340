"""The commands, as a person at a terminal and a program behind a pipe meet them."""
