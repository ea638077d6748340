"""Closed months of a series as files on this machine: read again at memory speed, and never stale.

Nothing here is trusted because it is recent: the server is asked, at each read, what it holds of each month.
Which rows a question wants, and reading them from the server, is the store's.
"""
