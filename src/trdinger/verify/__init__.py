"""Prove that source and target hold the same values: every cell of every row.

Reads both sides by itself, through the predicates that the application uses, and
normalises both by the same code. Repairs nothing, and knows nothing of a move.
"""
