"""Flags: what is switched while everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from functions.api.access import ADMIN
from functions.api.links import here
from functions.api.parameters import Query
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Envelope, Links, Shape, Time
from shared import flag_config, flags
from shared.errors import Conflict, NotFound, RetryLater
from shared.flag_config import Stored
from shared.flags import FLAGS, Flag, Rules, stored_form

resource = Resource("flags")


class FlagsQuery(Query):
    """Which version."""

    version: int | None = Field(None, ge=0, le=1_000_000, description="One that was once stored")


class NewFlags(BaseModel):
    """All rules that are to be stored. A flag that is left out has its default again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flags: Rules
    version: int | None = Field(
        None, ge=0, le=1_000_000, strict=True,
        description="The version it was made from; another one stored is a conflict",
    )  # fmt: skip


class ShownFlag(Shape):
    """A flag. ``value`` is what holds for this caller.

    With ``percent`` it holds for that share of ``subject`` only, and the default for the others.
    Null is for all; so it is where the subjects are keys, of which the caller's is one. ``subject``
    is null for a flag that holds for everybody.

    ``source`` says why: the environment (or .env), what is stored, or the default. ``rule`` is what
    is stored, null if nothing is.
    """

    what: str
    value: bool | int
    percent: int | None
    subject: Literal["account", "repository", "key"] | None
    source: Literal["environment", "stored", "default"]
    default: bool | int
    rule: dict[str, JsonValue] | None


class FlagsVersion(Shape):
    """What was once stored, and by whom."""

    version: int
    flags: dict[str, JsonValue]
    changed_at: Time | None
    changed_by: str | None


class FlagsMeta(Shape):
    """``version`` is that of the rules shown. ``history`` is newest first."""

    version: int
    history: list[FlagsVersion]


class FlagsAnswer(Envelope[dict[str, ShownFlag], FlagsMeta, Links]):
    """All flags by name."""


@resource.operation(
    "GET", "/api/v1/config/flags", key_elsewhere=True, errors=(NotFound, RetryLater)
)
def show_flags(call: Call, query: FlagsQuery) -> Reply[FlagsAnswer]:
    """All flags: what holds for you, why, and who stored what when."""
    call.need_key_elsewhere()
    wanted = query.version
    if wanted is None:
        return _answer(call, flag_config.current(call.services))
    return _answer(call, flag_config.version(call.services, wanted))


@resource.operation(
    "PUT", "/api/v1/config/flags", scope=ADMIN, errors=(NotFound, Conflict, RetryLater)
)
def set_flags(call: Call, body: NewFlags) -> Reply[FlagsAnswer]:
    """Store the rules of all flags in place of those before.

    Every instance knows them within half a minute, without a restart.
    """
    return _answer(
        call, flag_config.change(call.services, call.caller, body.flags, seen=body.version)
    )


def _answer(call: Call, found: Stored) -> Reply[FlagsAnswer]:
    rules = stored_form(found.rules)
    data = {name: _shown(call, flag, found, rules.get(name)) for name, flag in FLAGS.items()}
    history = [
        FlagsVersion.model_validate(dict(each.fields))
        for each in flag_config.history(call.services)
    ]
    meta = FlagsMeta(version=found.version, history=history)
    return Reply(FlagsAnswer(data=data, meta=meta, links=here()))


def _shown(call: Call, flag: Flag, found: Stored, rule: object) -> ShownFlag:
    services = call.services
    key = None if call.who.key is None else call.who.key.id
    value, percent = flags.for_caller(flag, found.rules, services.settings, services.now(), key)
    source: Literal["environment", "stored", "default"] = "default" if rule is None else "stored"
    if flags.is_explicit(flag, services.settings):
        source = "environment"
    return ShownFlag(
        what=flag.what,
        value=value,
        percent=percent,
        subject=flag.subject,
        source=source,
        default=flags.default(flag),
        rule=dict(rule) if isinstance(rule, Mapping) else None,
    )
