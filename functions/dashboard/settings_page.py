"""What the page of settings shows: rules, limits, flags, and to admins keys and audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from functions.dashboard import flag_forms
from functions.dashboard.flag_forms import FlagsShown
from functions.dashboard.sessions import Session
from functions.dashboard.widgets import Widget, attempt
from shared import audit, budget_config, keys, rule_sets
from shared.audit import RecordShown
from shared.budget_config import Configured
from shared.context import Services
from shared.errors import Rejected
from shared.keys import KeyPage
from shared.limits import Limits, Overrides
from shared.rule_sets import Versioned

HISTORY = 5
RECORDS = 10
KEYS = 20

GRACES = {0: "the former ends at once", 60: "former for an hour", 1440: "former for a day"}
"""How long a former text can be taken, in minutes, by what the form says of it."""


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """What is set over the environment's values, the limits that hold, and earlier versions."""

    current: Configured
    limits: Limits
    history: tuple[Configured, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Records of the audit trail, newest first. ``cursor`` leads on, None at the end."""

    records: tuple[RecordShown, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """The page. ``budget`` and ``flags`` are None for who may not see what is spent.

    ``keys`` and ``trail`` are None for all but admins.
    """

    rules: Widget[Versioned]
    budget: Widget[BudgetSettings] | None
    flags: Widget[FlagsShown] | None
    keys: Widget[KeyPage] | None
    trail: Widget[Trail] | None


def read(
    services: Services,
    session: Session | None,
    *,
    with_costs: bool,
    after: str,
    keys_after: str = "",
) -> SettingsPage:
    """The page as this reader may see it, the audit trail and the keys from a place on."""
    is_admin = session is not None and session.is_admin
    caller = None if session is None else session.caller
    return SettingsPage(
        rules=attempt(lambda: rule_sets.current(services)),
        budget=attempt(lambda: _budget(services)) if with_costs else None,
        flags=attempt(lambda: flag_forms.read(services, caller)) if with_costs else None,
        keys=attempt(lambda: _keys(services, keys_after)) if is_admin else None,
        trail=attempt(lambda: _trail(services, after)) if is_admin else None,
    )


def overrides(form: MultiDict[str, str]) -> Overrides:
    """The limits that a form sets; an empty field leaves the environment's value.

    Raises Rejected naming the field.
    """
    given: dict[str, object] = {}
    for name in Overrides.model_fields:
        text = form.get(name, "").strip()
        if not text:
            continue
        try:
            given[name] = int(text) if name == "warning_percent" else Decimal(text)
        except (ValueError, InvalidOperation) as error:
            raise Rejected(
                f"{_label(name)}: {text[:60]!r} is not a number.", details={"field": name}
            ) from error
    try:
        return Overrides.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise Rejected(f"{_label(field)}: {first['msg']}.", details={"field": field}) from error


LIMITS = {
    "daily_usd": "A day, in USD",
    "monthly_usd": "A month, in USD",
    "warning_percent": "Warning from, in percent",
    "price_per_tib_usd": "A TiB read, in USD",
    "free_tib_per_month": "Free TiB a month",
}
"""The limits by their names in the form."""


def _label(name: str) -> str:
    return LIMITS.get(name, name)


def _budget(services: Services) -> BudgetSettings:
    current = budget_config.current(services)
    return BudgetSettings(
        current, current.limits(services), tuple(budget_config.history(services, HISTORY))
    )


def _keys(services: Services, after: str) -> KeyPage:
    return keys.listed(services, after=after or None, limit=KEYS)


def _trail(services: Services, after: str) -> Trail:
    page = audit.trail(services, after=after or None, limit=RECORDS)
    records = tuple(map(audit.read, page.documents))
    return Trail(records, page.cursor)
