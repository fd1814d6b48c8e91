"""What a limit is, and which limits hold for a query. Members of the gateway's policy file; pure."""

import math
from dataclasses import dataclass
from typing import Final

import msgspec

ROWS_MAX: Final = 10**9
DAY_SECONDS: Final = 86_400


def _check_rows(**members: int | None) -> None:
    for name, rows in members.items():
        if rows is not None and not 0 < rows <= ROWS_MAX:
            raise ValueError(f"{name} is {rows}: it must be 1 to {ROWS_MAX} rows")


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `burst` rows at once and `rate` rows a second in the long run; `day` and `month` rows in each, in UTC.

    Raises ValueError (msgspec's ValidationError where it is decoded) for numbers that no window can hold.
    """

    rate: float  # rows a second
    burst: int  # rows
    day: int | None = None  # rows; None: no quota
    month: int | None = None

    def __post_init__(self) -> None:
        _check_rows(burst=self.burst, day=self.day, month=self.month)
        if not 0 < self.rate <= ROWS_MAX:
            raise ValueError(f"rate is {self.rate}: it must be above 0 and at most {ROWS_MAX} rows a second")
        if self.burst > self.rate * DAY_SECONDS:
            raise ValueError(f"burst {self.burst} takes over a day to refill at rate {self.rate}: set day instead")

    @property
    def seconds(self) -> int:
        """The length of the window, in whole seconds: the time in which the burst refills."""
        return math.ceil(self.burst / self.rate)

    @property
    def rows(self) -> int:
        """What the window holds: the burst, and what `rate` adds where its seconds were rounded up."""
        return max(self.burst, math.floor(self.rate * self.seconds))


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits by what they count: all rows of one client, key, tenant or address, or all rows of a model."""

    client: Limit | None = Limit(100.0, 2_000)
    key: Limit | None = None
    tenant: Limit | None = None
    ip: Limit | None = None
    model: Limit | None = None


THROTTLE: Final = Limit(5.0, 5)  # what a throttled client may ask, unless told otherwise


@dataclass(frozen=True, slots=True)
class Applied:
    """The limits in force for one query. The lowest quota counts, and the lower rate of client and throttle."""

    limits: Limits = Limits()  # noqa: RUF009  # it is frozen
    throttle: Limit | None = None  # of a decision to throttle
    day: int | None = None  # quotas of the client's roles, in rows
    month: int | None = None
