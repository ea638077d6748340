"""The schema: models, migrations, and TimescaleDB's side of the three series.

    schema.upgrade(engine)              migrations, up to the newest
    schema.check(engine)                raises SchemaDiffers where the database differs
    schema.apply(connection)            hypertables and compression, after the server gained them
    schema.keys, schema.models          for loaders and for questions

Knows the declaration and engines. Rows, and how they get in, are other rooms' business.
"""

from __future__ import annotations

from trdinger.schema import keys, models
from trdinger.schema.apply import apply
from trdinger.schema.upgrade import (
    SchemaDiffers,
    check,
    config,
    current,
    differences,
    downgrade,
    heads,
    stamp,
    upgrade,
)

__all__ = [
    "SchemaDiffers",
    "apply",
    "check",
    "config",
    "current",
    "differences",
    "downgrade",
    "heads",
    "keys",
    "models",
    "stamp",
    "upgrade",
]
