"""sessions of the database speak UTC

The existing application sends times without an offset and means UTC; a server set
otherwise would read them in its own zone.

Revises: 0002
"""

# op gains our operations when they are registered, which no type checker sees.
# mypy: disable-error-code="attr-defined"

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.set_database_timezone("UTC")


def downgrade() -> None:
    op.set_database_timezone(None)
