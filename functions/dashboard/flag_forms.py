"""Flags as a form shows them, and what a form that was sent says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from functions.api.parsing import rejected
from shared import flag_config, flags
from shared.context import Caller, Services
from shared.errors import Rejected
from shared.flags import FLAGS, Flag, FlagRule, Rules
from shared.models import iso, parse_time

_WORDS: Mapping[str, bool] = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class RuleFields:
    """The texts of a rule's fields, empty where it says nothing."""

    value: str
    starts_at: str
    percent: str
    keys: str


@dataclass(frozen=True, slots=True)
class FlagShown:
    """A flag: what holds for this reader, the default, and the rule that is stored."""

    name: str
    what: str
    value: str
    default: str
    is_switch: bool
    for_some: bool
    explicit: bool
    rule: RuleFields | None


@dataclass(frozen=True, slots=True)
class FlagsShown:
    """All flags as they are stored in a version."""

    version: int
    flags: tuple[FlagShown, ...]


def read(services: Services, caller: Caller | None) -> FlagsShown:
    """The flags as they hold for a caller. Reads one document."""
    found = flag_config.current(services)
    key = None if caller is None else caller.actor.removeprefix("key:")
    return FlagsShown(
        found.version, tuple(_shown(services, flag, found.rules, key) for flag in FLAGS.values())
    )


def rules(form: MultiDict[str, str]) -> Rules:
    """What a form says of all flags. Raises Rejected naming the flag and its field."""
    wanted = {name: _rule(flag, form) for name, flag in FLAGS.items()}
    try:
        return Rules.model_validate({name: rule for name, rule in wanted.items() if rule})
    except ValidationError as error:
        raise rejected(error) from error


def _shown(services: Services, flag: Flag, found: Rules, key: str | None) -> FlagShown:
    value, percent = flags.for_caller(flag, found, services.settings, services.now(), key)
    rule: FlagRule | None = getattr(found, flag.name)
    return FlagShown(
        name=flag.name,
        what=flag.what,
        value=_word(value) if percent is None else f"{_word(value)} for {percent} %",
        default=_word(flags.default(flag)),
        is_switch=flag.least is None,
        for_some=flag.for_some,
        explicit=flags.is_explicit(flag, services.settings),
        rule=None if rule is None else _fields(rule),
    )


def _fields(rule: FlagRule) -> RuleFields:
    return RuleFields(
        value=_word(rule.value),
        starts_at="" if rule.starts_at is None else iso(rule.starts_at),
        percent="" if rule.percent is None else str(rule.percent),
        keys=", ".join(f"{key}={_word(value)}" for key, value in sorted(rule.keys.items())),
    )


def _word(value: bool | int) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _rule(flag: Flag, form: MultiDict[str, str]) -> dict[str, object] | None:
    """A rule as ``FlagRule`` reads it, None for the default."""
    value = form.get(flag.name, "").strip()
    if not value:
        return None
    rule: dict[str, object] = {"value": _value(flag, value)}
    starts = form.get(f"{flag.name}.starts_at", "").strip()
    percent = form.get(f"{flag.name}.percent", "").strip()
    if starts:
        whole = f"{starts}T00:00:00Z" if len(starts) == len("2025-03-20") else starts
        rule["starts_at"] = parse_time(whole)
    if percent:
        rule["percent"] = _number(f"{flag.name}.percent", percent)
    keys: dict[str, bool | int] = {}
    for pair in form.get(f"{flag.name}.keys", "").split(","):
        if pair.strip():
            key, _, word = pair.partition("=")
            keys[key.strip()] = _value(flag, word.strip())
    if keys:
        rule["keys"] = keys
    return rule


def _value(flag: Flag, word: str) -> bool | int:
    if flag.least is not None:
        return _number(flag.name, word)
    if word not in _WORDS:
        raise Rejected(
            f"{flag.name}: {word[:60]!r} is neither on nor off.", details={"field": flag.name}
        )
    return _WORDS[word]


def _number(field: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Rejected(f"{field}: {text[:60]!r} is not a whole number.", details={"field": field})
    return int(text)
