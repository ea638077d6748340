"""The history of the schema, in Alembic's form. `trdinger.schema.upgrade` runs it."""
