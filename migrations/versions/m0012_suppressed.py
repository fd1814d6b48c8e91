"""Step 12: what a label suppresses, and when the verdict behind a decision was reached."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BACKFILL = """
    UPDATE decisions SET judged = verdicts.at
    FROM verdicts WHERE verdicts.id = decisions.verdict
"""


def upgrade() -> None:
    op.create_table(
        "suppressions",
        sa.Column("client", sa.Text(), comment="of whom"),
        sa.Column("model", sa.Text(), comment="with which model"),
        sa.Column("kind", sa.Text(), comment="which kind of evidence, as in evidence.kind; budget: the leakage's"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="when it speaks again"),
        sa.Column("feedback", sa.BigInteger(), nullable=False, comment="feedback.id of the label behind it"),
        sa.PrimaryKeyConstraint("client", "model", "kind", name="pk_suppressions"),
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
    op.execute(BACKFILL)


def downgrade() -> None:
    op.drop_column("decisions", "judged")
    op.drop_table("suppressions")
