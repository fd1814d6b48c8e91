"""Step 12: what a label suppresses, and when the verdict behind a decision was reached."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

JUDGED = """
    UPDATE decisions SET judged = verdicts.at
    FROM verdicts WHERE verdicts.id = decisions.verdict
"""
SPOKE = """
    UPDATE episodes SET signals = said.signals, policy = said.policy
    FROM (
        SELECT verdict.client, verdict.model, greatest(verdict.episode, 1) AS number,
               jsonb_agg(DISTINCT coalesce(reading.signal, 'budget')) AS signals,
               (array_agg(verdict.policy ORDER BY verdict.serial DESC))[1] AS policy
        FROM verdicts AS verdict
        LEFT JOIN evidence AS reading
          ON reading.verdict = verdict.id AND reading.at = verdict.at AND verdict.cause <> 'budget'
        WHERE verdict.action <> 'allow' GROUP BY 1, 2, 3
    ) AS said
    WHERE said.client = episodes.client AND said.model = episodes.model AND said.number = episodes.number
"""


def upgrade() -> None:
    op.create_table(
        "suppressions",
        sa.Column("client", sa.Text(), comment="of whom"),
        sa.Column("model", sa.Text(), comment="with which model"),
        sa.Column("signal", sa.Text(), comment="which signal, each its own kind of evidence; budget: the leakage's"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="when it speaks again"),
        sa.Column("feedback", sa.BigInteger(), nullable=False, comment="feedback.id of the label behind it"),
        sa.PrimaryKeyConstraint("client", "model", "signal", name="pk_suppressions"),
        comment="Evidence that a label explained: verdicts on it alone act in shadow and alert nobody until then.",
    )
    op.add_column(
        "decisions",
        sa.Column(
            "judged",
            sa.DateTime(timezone=True),
            comment="event time of the verdict behind it (with it the verdict's day is found); null: a person's",
        ),
    )
    op.execute(JUDGED)
    op.add_column(
        "episodes",
        sa.Column(
            "signals",
            JSONB(),
            nullable=False,
            server_default="[]",
            comment="signals that spoke in verdicts that act, by name; budget: that of leakage was used up",
        ),
    )
    op.add_column(
        "episodes",
        sa.Column(
            "policy", sa.Text(), comment="version of the policy of the latest verdict that acts; null: none does"
        ),
    )
    op.execute(SPOKE)


def downgrade() -> None:
    op.drop_column("episodes", "policy")
    op.drop_column("episodes", "signals")
    op.drop_column("decisions", "judged")
    op.drop_table("suppressions")
