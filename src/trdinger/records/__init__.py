"""The small relational tables: what collecting and research leave behind, kept and found again.

Each class takes a SQLAlchemy session, over PostgreSQL or SQLite alike. Its methods flush what they change
and leave the commit to the session's owner. Errors are SQLAlchemy's own; a row that lacks what it needs is a
UsageError. Candles, funding rates and open interest are the store's.
"""
