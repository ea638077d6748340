"""The proof that no value is lost or invented, by judges of its own that share no code with trdinger."""
