"""Step 7: marks. Answers that were changed on purpose, kept so that a stolen copy names its thief."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("client", sa.Text(), comment="who was answered"),
        sa.Column("model", sa.Text(), comment="the model asked"),
        sa.Column("record", sa.LargeBinary(), comment="the 16 bytes of the query record's id"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="event time of the record"),
        sa.Column("true_label", sa.Integer(), nullable=False, comment="the class that the model named"),
        sa.Column("served_label", sa.Integer(), nullable=False, comment="the class that the client was told"),
        sa.Column("classes", sa.Integer(), nullable=False, comment="how many classes the model has"),
        sa.Column("dtype", sa.Text(), nullable=False, comment="of the input's numbers, little endian"),
        sa.Column("shape", JSONB(), nullable=False, comment="of the input"),
        sa.Column(
            "input",
            sa.LargeBinary(),
            nullable=False,
            comment="the input's numbers, encrypted (Fernet) with GAMEKEEPER_MARKS_KEY",
        ),
        sa.PrimaryKeyConstraint("client", "model", "record", name="pk_marks"),
        comment="Answers that were changed on purpose, so that a stolen copy names its thief; the newest of each.",
    )
    op.create_index("ix_marks_client_model_at", "marks", ["client", "model", "at"])


def downgrade() -> None:
    op.drop_table("marks")
