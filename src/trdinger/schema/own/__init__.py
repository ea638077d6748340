"""Tables that a user made himself, in the target: described as data, made, and compared with the catalog.

No model and no migration knows them: what is made is what the description of a SQLite table says.
"""
