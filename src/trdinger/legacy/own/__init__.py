"""A user's own tables: what SQLite declares, what they hold, and what becomes of them in the target.

catalog      what the file declares           kinds     a type for each column that loses nothing
reflection   the tables together              names     those that PostgreSQL takes
table        one of them                      keys      keys, indexes and references that translate
choices      what a person decided            defaults  those that translate
"""
