"""Named tokens, and logins that were ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), sa.ForeignKey("job.id", ondelete="CASCADE")),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("last_used", sa.Double()),
        sa.Column("revoked", sa.Double()),
        sa.CheckConstraint("scope IN ('full', 'read')", name="access_scope_is_known"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_token_job_id", "access_token", ["job_id"])
    op.create_table(
        "ended_session",
        sa.Column("nonce", sa.String(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("ended_session")
    op.drop_table("access_token")
