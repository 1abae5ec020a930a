"""What the health report saw of each picture; how far an edit is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_item", sa.Column("traits", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "dataset_item", sa.Column("twin", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "dataset_edit", sa.Column("state", sa.String(), nullable=False, server_default="done")
    )


def downgrade() -> None:
    op.drop_column("dataset_edit", "state")
    op.drop_column("dataset_item", "twin")
    op.drop_column("dataset_item", "traits")
