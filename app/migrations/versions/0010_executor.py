"""Where a job runs: its own choice, what it asks a cluster for, and where an attempt ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("executor", "cluster"):
        op.add_column("job", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "attempt", sa.Column("executor", sa.Text(), nullable=False, server_default="local")
    )
    op.add_column("attempt", sa.Column("place", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("place", "executor"):
        op.drop_column("attempt", name)
    for name in ("cluster", "executor"):
        op.drop_column("job", name)
