"""What a database needs as it ages: compression, refreshes, retention, their schedule, and a doctor.

By the declaration, or as settings say otherwise. No row leaves the database before it is proven to be in
the archive. Files and their form are `archive`'s.
"""
