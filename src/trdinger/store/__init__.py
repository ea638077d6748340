"""Market data as Arrow, out of TimescaleDB, PostgreSQL or a SQLite file: the same answers from each.

Questions are answered here, and new observations stored; aggregates and the archive are not here yet.
"""
