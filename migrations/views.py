"""How steps make views: a definition, a comment on the view, and one on each column."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op


@dataclass(frozen=True, slots=True)
class View:
    """A view as a step makes it. `columns` maps each column to what it means."""

    definition: str  # a CREATE VIEW statement
    meaning: str
    columns: Mapping[str, str]


def create(views: Mapping[str, View]) -> None:
    """Make views, in this order."""
    for name, view in views.items():
        op.execute(view.definition)
        comment("VIEW", (name,), view.meaning)
        for column, meaning in view.columns.items():
            comment("COLUMN", (name, column), meaning)


def replace(definition: str) -> None:
    """Define a view anew with the columns that it has; their comments stay."""
    op.execute(definition.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))


def drop(views: Mapping[str, View]) -> None:
    """Drop views, the last made first."""
    for name in reversed(list(views)):
        op.execute(f"DROP VIEW {name}")


def comment(kind: str, name: tuple[str, ...], meaning: str) -> None:
    """COMMENT takes no bound parameters, so the server itself quotes the names and the text."""
    connection = op.get_bind()
    form = f"COMMENT ON {kind} " + ".".join(["%I"] * len(name)) + " IS %L"
    statement = connection.execute(sa.select(sa.func.format(form, *name, meaning))).scalar_one()
    connection.exec_driver_sql(statement.replace("%", "%%"))
