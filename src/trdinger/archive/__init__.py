"""Rows of series in Parquet files, for what a database no longer keeps.

Their form, the manifest, writing in steps that a kill cannot break, reading and verifying them.
Knows files and no database: what is archived when, and what goes from the database then, is `upkeep`'s.
"""
