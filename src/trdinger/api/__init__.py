"""The HTTP API: the existing application's endpoints over either database, by their own paths and shapes.

Needs the extra `api`. What it must know (address, origins) is handed in; docs/api.md tells what differs from
the existing application and what is not there yet.
"""
