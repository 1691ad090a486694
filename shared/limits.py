"""What may be spent on the warehouse, and what bytes cost.

Money is whole micro-dollars (millionths of a dollar). A price is rounded up to the next of them,
so the books never say less than the bill.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.ports import Document
from shared.settings import Settings

CONFIG = "config/budget"
"""The document of what an owner has set in place of the environment's values."""

MICRO = 1_000_000
TIB = 1 << 40
LEAST_BYTES = 10 << 20
"""BigQuery bills a query for 10 MB at least, so no reservation is below 10 MiB."""

ON_DEMAND_USD = Decimal("6.25")
"""BigQuery's list price per TiB, which holds in the cloud unless a price is set."""

Dollars = Annotated[
    Decimal, Field(ge=0, le=1_000_000, max_digits=13, decimal_places=6, allow_inf_nan=False)
]
Percent = Annotated[int, Field(ge=1, le=100, strict=True)]
Tebibytes = Annotated[
    Decimal, Field(ge=0, le=10_000, max_digits=8, decimal_places=3, allow_inf_nan=False)
]


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Overrides(_Values):
    """What is set in place of the environment's values. None leaves the environment's."""

    daily_usd: Dollars | None = Field(None, description="Most that a day (UTC) may cost")
    monthly_usd: Dollars | None = Field(None, description="Most that a month (UTC) may cost")
    warning_percent: Percent | None = Field(None, description="Share of a limit that warns")
    price_per_tib_usd: Dollars | None = Field(None, description="0: nothing is metered")
    free_tib_per_month: Tebibytes | None = Field(
        None, description="What the billing account does not pay for, if nobody else uses it"
    )


class Limits(_Values):
    """The limits in force. Dollars as set; the properties are micro-dollars and bytes."""

    daily_usd: Dollars
    monthly_usd: Dollars
    warning_percent: Percent
    price_per_tib_usd: Dollars
    free_tib_per_month: Tebibytes

    @property
    def metered(self) -> bool:
        """False where bytes cost nothing: then nothing is reserved or booked."""
        return self.price > 0

    @property
    def daily(self) -> int:
        return micro(self.daily_usd)

    @property
    def monthly(self) -> int:
        return micro(self.monthly_usd)

    @property
    def price(self) -> int:
        """Micro-dollars per TiB."""
        return micro(self.price_per_tib_usd)

    @property
    def free_bytes(self) -> int:
        return int(self.free_tib_per_month * TIB)

    def warns_at(self, limit: int) -> int:
        """From how much spent a limit is nearly reached."""
        return -(-limit * self.warning_percent // 100)


def micro(dollars: Decimal) -> int:
    """Dollars as micro-dollars, rounded up."""
    return int((dollars * MICRO).to_integral_value(ROUND_CEILING))


def dollars(micro_usd: int) -> Decimal:
    """Micro-dollars as dollars with six places."""
    return Decimal(micro_usd).scaleb(-6).quantize(Decimal("0.000001"))


def shown(micro_usd: int, *, left: bool = False) -> str:
    """Micro-dollars for people: two places, four where two would show nothing.

    Rounded so that nobody expects more than there is: costs up, what is ``left`` down.
    """
    places = Decimal("0.01") if micro_usd >= MICRO // 100 or micro_usd == 0 else Decimal("0.0001")
    rounding = ROUND_FLOOR if left else ROUND_CEILING
    return f"{Decimal(micro_usd).scaleb(-6).quantize(places, rounding)} USD"


def price_of(size: int, price: int) -> int:
    """What bytes cost at micro-dollars per TiB, rounded up."""
    return -(-size * price // TIB)


def limits_of(settings: Settings) -> Limits:
    """The limits that the environment sets. Unpriced, bytes of the embedded backend are free."""
    price = settings.price_per_tib_usd
    if price is None:
        price = ON_DEMAND_USD if settings.backend == "gcp" else Decimal(0)
    return Limits(
        daily_usd=settings.budget_daily_usd,
        monthly_usd=settings.budget_monthly_usd,
        warning_percent=settings.budget_warning_percent,
        price_per_tib_usd=price,
        free_tib_per_month=settings.free_tib_per_month,
    )


def in_force(settings: Settings, stored: Document | None) -> Limits:
    """The limits of the environment with those of the document over them."""
    return overridden(limits_of(settings), overrides_in(stored))


def overridden(limits: Limits, overrides: Overrides) -> Limits:
    """Limits with what is set in place of some."""
    return limits.model_copy(update=overrides.model_dump(exclude_none=True))


def overrides_in(stored: Document | None) -> Overrides:
    """What the document sets, nothing where there is none."""
    return Overrides() if stored is None else Overrides.model_validate(stored.fields["overrides"])
