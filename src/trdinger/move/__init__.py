"""The move of a SQLite file into TimescaleDB: plan, units, ledger, copy, finish.

Every unit of rows is committed together with its line in the ledger: exactly once,
whatever happens. Comparing values is `trdinger.verify`'s.
"""
