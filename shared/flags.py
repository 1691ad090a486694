"""Flags: what an owner switches while everything runs, and for whom it holds.

What is in the environment or in ``.env`` wins, then what is stored, then the default. A stored
rule gives a value to everybody, to single keys, to a share of subjects, and from a time on. What
each flag does is in docs/access.md.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic import model_validator as validated

from shared.models import iso
from shared.ports import Document, Documents
from shared.settings import Settings

CONFIG = "config/flags"
"""The document of what is stored."""

SEEN_WITHIN = timedelta(seconds=30)
"""How old what an instance knows of the flags may be."""

Value = StrictBool | Annotated[StrictInt, Field(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag; the setting of the same name has its default.

    ``subject`` is what shares are taken of, None where it holds for everybody.
    """

    name: str
    least: int | None
    """None for a switch."""
    subject: Literal["account", "repository", "key"] | None
    what: str

    @property
    def for_some(self) -> bool:
        """True if a rule may name keys and a share."""
        return self.subject is not None


ENRICHMENT = Flag("enable_enrichment", None, "account", "profiles of contributors are read")
INCREMENTAL = Flag(
    "enable_incremental_scrape", None, "repository", "a scrape reads only what is new"
)
WEBSOCKET = Flag("enable_websocket_logs", None, "key", "logs are streamed over a WebSocket")
SCRAPES = Flag("max_concurrent_scrapes", 1, None, "scrapes at once")
SCORING = Flag(
    "new_scoring_algorithm", 0, None, "version of the rule set that boards are made by; 0: off"
)

FLAGS: Mapping[str, Flag] = {
    flag.name: flag for flag in (ENRICHMENT, INCREMENTAL, WEBSOCKET, SCRAPES, SCORING)
}


class FlagRule(BaseModel):
    """What is stored of a flag. Times are aware; without ``starts_at`` it holds at once.

    ``keys`` wins over the rest, also before ``starts_at``. With ``percent`` the value is for that
    share of subjects, and the default for the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Value
    keys: Mapping[Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")], Value] = Field(
        default_factory=dict, max_length=100, description="Values for single keys, by id"
    )
    percent: Annotated[StrictInt, Field(ge=0, le=100)] | None = Field(
        None, description="For which share the value holds"
    )
    starts_at: AwareDatetime | None = Field(None, description="From when it holds")


class Rules(BaseModel):
    """The rules of all flags that have one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enable_enrichment: FlagRule | None = None
    enable_incremental_scrape: FlagRule | None = None
    enable_websocket_logs: FlagRule | None = None
    max_concurrent_scrapes: FlagRule | None = None
    new_scoring_algorithm: FlagRule | None = None

    @validated(mode="after")
    def _fitting(self) -> Self:
        for name, flag in FLAGS.items():
            rule: FlagRule | None = getattr(self, name)
            if rule is not None:
                _check(flag, rule)
        return self


def _check(flag: Flag, rule: FlagRule) -> None:
    for value in (rule.value, *rule.keys.values()):
        if flag.least is None and not isinstance(value, bool):
            raise ValueError(f"{flag.name} is true or false")
        if flag.least is not None and (isinstance(value, bool) or value < flag.least):
            raise ValueError(f"{flag.name} is a whole number, {flag.least} or more")
    if not flag.for_some and (rule.keys or rule.percent is not None):
        raise ValueError(f"{flag.name} holds for everybody: leave keys and percent out")


def rules_in(document: Document | None) -> Rules:
    """What the document says, nothing where there is none."""
    return Rules() if document is None else Rules.model_validate(document.fields["flags"])


def is_explicit(flag: Flag, settings: Settings) -> bool:
    """True if the environment or ``.env`` says it, which wins over what is stored."""
    return flag.name in settings.model_fields_set


def default(flag: Flag) -> bool | int:
    """What holds where nobody said anything."""
    found: bool | int = Settings.model_fields[flag.name].default
    return found


def evaluate(
    flag: Flag, rules: Rules, settings: Settings, now: datetime, key: str | None, subject: str
) -> bool | int:
    """The value for a caller's ``key`` (its id) and a subject. The same everywhere, always.

    Where subjects are keys, the caller's is the subject.
    """
    value, percent = _ruled(flag, rules, settings, now, key)
    about = (key or "") if flag.subject == "key" else subject
    if percent is not None and share(flag, about) >= percent:
        return default(flag)
    return value


def for_caller(
    flag: Flag, rules: Rules, settings: Settings, now: datetime, key: str | None
) -> tuple[bool | int, int | None]:
    """The value for a caller, and for what percentage of subjects it holds, None for all of them.

    Where subjects are keys, the caller is one of them.
    """
    if flag.subject == "key":
        return evaluate(flag, rules, settings, now, key, ""), None
    return _ruled(flag, rules, settings, now, key)


def _ruled(
    flag: Flag, rules: Rules, settings: Settings, now: datetime, key: str | None
) -> tuple[bool | int, int | None]:
    """The value for a key, and the percentage of subjects that it is for; None for all."""
    if is_explicit(flag, settings):
        explicit: bool | int = getattr(settings, flag.name)
        return explicit, None
    rule: FlagRule | None = getattr(rules, flag.name)
    if rule is None:
        return default(flag), None
    if key is not None and key in rule.keys:
        return rule.keys[key], None
    if rule.starts_at is not None and now < rule.starts_at:
        return default(flag), None
    return rule.value, rule.percent


def share(flag: Flag, subject: str) -> int:
    """Where a subject stands among a hundred, by its hash: another place for every flag."""
    return int(hashlib.sha256(f"{flag.name} {subject}".encode()).hexdigest()[:8], 16) % 100


@dataclass
class FlagCache:
    """What is stored, read at most every ``SEEN_WITHIN``. One for all threads of an instance."""

    documents: Documents
    now: Callable[[], datetime]
    _known: tuple[datetime, Rules] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rules(self) -> Rules:
        """The rules as they were half a minute ago, or are."""
        with self._lock:
            moment = self.now()
            if self._known is None or not moment - self._known[0] < SEEN_WITHIN:
                (document,) = self.documents.get(CONFIG)
                self._known = moment, rules_in(document)
            return self._known[1]

    def know(self, rules: Rules) -> None:
        """This instance has just stored them."""
        with self._lock:
            self._known = self.now(), rules


def scoring_mark(document: Document | None, settings: Settings, now: datetime) -> str:
    """The rule set that flags put in place of the one in force, as text; ``0`` for none."""
    return str(evaluate(SCORING, rules_in(document), settings, now, None, ""))


def stored_form(rules: Rules) -> dict[str, object]:
    """Rules as they are stored and shown: without what is not set."""
    found: dict[str, object] = {}
    for name in FLAGS:
        rule: FlagRule | None = getattr(rules, name)
        if rule is not None:
            dumped = rule.model_dump(mode="json", exclude_none=True)
            dumped["keys"] = dict(sorted(rule.keys.items()))
            if rule.starts_at is not None:
                dumped["starts_at"] = iso(rule.starts_at)
            found[name] = dumped
    return found
