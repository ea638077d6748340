"""A TimescaleDB inside this package: for trying out, tests and laptops.

PostgreSQL 17 with TimescaleDB 2.23 Community, compiled to WebAssembly and run by Node, behind our
own PostgreSQL wire server on 127.0.0.1. One connection at a time; the others wait their turn.
What is committed survives a kill. It is not a server for production, and it has no background
workers: policies run when somebody calls `run_job`.
"""

from trdinger.engine.embedded.server import (
    DEFAULT_DATA_DIRECTORY,
    LICENCES,
    Running,
    running,
    start,
    status,
    stop,
)

__all__ = ["DEFAULT_DATA_DIRECTORY", "LICENCES", "Running", "running", "start", "status", "stop"]
