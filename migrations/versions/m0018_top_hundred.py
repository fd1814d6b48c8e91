"""Step 18: the top suspects are found before they are looked up, so that the hundred cost no walk through everybody."""

from migrations.versions.m0004_views import TOP_SUSPECTS_24H
from migrations.views import replace

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ORDER = "ORDER BY recent.highest_score DESC, recent.last_at DESC\nLIMIT 100\n"
# A verdict and its client's standing are written and forgotten together: the hundred found all have one.
THE_HUNDRED_FIRST = TOP_SUSPECTS_24H.replace(
    "    GROUP BY client, model\n",
    "    GROUP BY client, model\n    ORDER BY max(score) DESC, max(at) DESC\n    LIMIT 100\n",
).replace(_ORDER, _ORDER.removesuffix("LIMIT 100\n"))


def upgrade() -> None:
    replace(THE_HUNDRED_FIRST)


def downgrade() -> None:
    replace(TOP_SUSPECTS_24H)
