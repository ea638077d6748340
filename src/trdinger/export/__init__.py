"""Out of the database again: a file of the existing application, files for other programs, and back.

Everything of one export is read from one snapshot of the database. Values go over exactly, or are
listed as what the form cannot hold. `rollback` puts the backup of a move back in its place.
"""
