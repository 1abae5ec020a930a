"""When a run is foreseen to end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("finish_at", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("job", "finish_at")
