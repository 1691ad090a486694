"""How the budget stands, and what the month will have cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.budget_books import Period, day_name, midnight_after, moment_of, month_after, period
from shared.limits import CONFIG, Limits, in_force
from shared.ports import Documents
from shared.settings import Settings

_PACE_DAYS = 7
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A day or month against its limit, in micro-dollars. ``name`` is its date."""

    name: str
    limit: int
    spent: int
    reserved: int
    renews_at: datetime
    warning: bool

    @property
    def remaining(self) -> int:
        """What can still be reserved; nothing where the limit was lowered below what is."""
        return max(0, self.limit - self.spent - self.reserved)

    @property
    def hundredths(self) -> int:
        """The share of the limit that is spent, in hundredths of a percent."""
        if self.limit == 0:
            return 10_000 if self.spent else 0
        return self.spent * 10_000 // self.limit


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the month will have cost, in micro-dollars, if it goes on as in the last days.

    ``per_day`` is the mean of ``days`` whole days, at most the last seven, those without any cost
    included. What was spent this month and the rest of it at that pace make ``month``, which is
    ``capped`` where the limit would stop it before.
    """

    month: int
    per_day: int
    days: int
    capped: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The budget now. ``forecast`` is None before there is a whole day to go by."""

    limits: Limits
    day: Standing
    month: Standing
    forecast: Forecast | None

    @property
    def warning(self) -> bool:
        return self.day.warning or self.month.warning


def status(documents: Documents, settings: Settings, now: datetime) -> Status:
    """The budget as its documents have it. One round trip."""
    today = day_name(now)
    before = [day_name(now - n * _DAY) for n in range(1, _PACE_DAYS + 1)]
    months = (today[:7], day_name(moment_of(today[:7] + "-01") - _DAY)[:7])
    config, *found = documents.get(
        CONFIG,
        *(f"budget_months/{month}" for month in months),
        *(f"budget_days/{day}" for day in (today, *before)),
    )
    limits = in_force(settings, config)
    month, last_month, day, *past = (
        period(document, name)
        for document, name in zip(found, (*months, today, *before), strict=True)
    )
    return Status(
        limits=limits,
        day=_standing(day, limits.daily, midnight_after(now), limits),
        month=_standing(month, limits.monthly, month_after(now), limits),
        forecast=_forecast(limits, month, last_month.since or month.since, past, now),
    )


def _standing(found: Period, limit: int, renews_at: datetime, limits: Limits) -> Standing:
    near = limits.metered and found.spent >= max(limits.warns_at(limit), 1)
    return Standing(found.name, limit, found.spent, found.reserved, renews_at, near)


def _forecast(
    limits: Limits, month: Period, since: str | None, past: list[Period], now: datetime
) -> Forecast | None:
    known = [day.spent for day in past if since is not None and day.name >= since]
    if not known:
        return None
    left = month_after(now) - now
    total, days = sum(known), len(known)
    rest = -(-total * (left // timedelta(seconds=1)) // (days * 86_400))
    expected = month.spent + rest
    most = max(limits.monthly, month.spent)
    return Forecast(min(expected, most), -(-total // days), days, capped=expected > most)
