"""Step 8: layouts. How many partitions a topic has had, so that added ones begin when their clients' past is saved."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KNOWN = """
    INSERT INTO layouts (consumer_group, topic, topic_id, partitions, ends)
    SELECT consumer_group, topic, topic_id, max(partition) + 1, '{}' FROM offsets
    WHERE topic_id <> '' GROUP BY consumer_group, topic, topic_id
"""


def upgrade() -> None:
    op.create_table(
        "layouts",
        sa.Column("consumer_group", sa.Text(), comment="Kafka's consumer group"),
        sa.Column("topic", sa.Text(), comment="Kafka's topic"),
        sa.Column("topic_id", sa.Text(), comment="Kafka's id of this life of the topic; empty: unknown"),
        sa.Column("partitions", sa.Integer(), autoincrement=False, comment="how many partitions it has"),
        sa.Column(
            "ends",
            ARRAY(sa.BigInteger()),
            comment="where each partition of the layout before it ended, once every producer knew of this one: added "
            "partitions are read when all are saved so far; empty: the first layout; null: not all producers know yet",
        ),
        sa.Column(
            "noticed",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="when detect saw it first",
        ),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "topic_id", "partitions", name="pk_layouts"),
        comment="How many partitions a topic has had, one row each time there were more.",
    )
    op.execute(KNOWN)


def downgrade() -> None:
    op.drop_table("layouts")
