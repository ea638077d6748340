"""The schema on every database: models, migrations, hypertables, keys."""
