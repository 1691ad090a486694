"""The flags that an owner has stored, by version, and what they come to for a caller."""

from __future__ import annotations

from dataclasses import dataclass

from shared import flags, global_requests, rule_sets
from shared.context import Caller, Services
from shared.flags import CONFIG, Flag, Rules, rules_in, stored_form
from shared.models import iso
from shared.ports import Document, Fields
from shared.versions import Versions


@dataclass(frozen=True, slots=True)
class Stored:
    """A version of all rules, and who stored it. Version 0 is none."""

    version: int
    rules: Rules
    changed_at: str | None = None
    changed_by: str | None = None

    @property
    def fields(self) -> Fields:
        return {
            "version": self.version,
            "flags": stored_form(self.rules),  # type: ignore[dict-item]
            "changed_at": self.changed_at,
            "changed_by": self.changed_by,
        }


def value(
    services: Services, flag: Flag, *, caller: Caller | None = None, subject: str = ""
) -> bool | int:
    """What a flag is for a caller and a subject, as it was half a minute ago at most."""
    key = caller.actor.removeprefix("key:") if caller and caller.actor.startswith("key:") else None
    rules = services.flags.rules()
    return flags.evaluate(flag, rules, services.settings, services.now(), key, subject)


def is_on(
    services: Services, flag: Flag, *, caller: Caller | None = None, subject: str = ""
) -> bool:
    """Whether a switch is on."""
    return bool(value(services, flag, caller=caller, subject=subject))


def change(services: Services, caller: Caller, rules: Rules, *, seen: int | None = None) -> Stored:
    """Store rules in place of all before. All instances know them within half a minute.

    What is stored already makes no new version. Raises Conflict if the version is not the one that
    was ``seen``, NotFound for a rule set that there is not.
    """
    variant = rules.new_scoring_algorithm
    if variant is not None and variant.value:
        rule_sets.version(services, int(variant.value))

    def follow(before: Stored) -> Stored:
        if rules == before.rules:
            return before
        return Stored(before.version + 1, rules, iso(services.now()), caller.actor)

    before, after = _VERSIONS.change(services, caller, follow, seen)
    services.flags.know(after.rules)
    if after.rules.new_scoring_algorithm != before.rules.new_scoring_algorithm:
        # A kill before this is healed by the schedule, which compares the rules.
        global_requests.request_global(services, caller)
    return after


def _read(document: Document | None) -> Stored:
    if document is None:
        return Stored(0, Rules())
    fields = document.fields
    return Stored(
        int(str(fields["version"])),
        rules_in(document),
        str(fields["changed_at"]),
        str(fields["changed_by"]),
    )


_VERSIONS = Versions(
    now=CONFIG,
    kept="flag_configs/",
    subject="flags",
    field="flags",
    named="the flags",
    read=_read,
)
current, version, history = _VERSIONS.current, _VERSIONS.version, _VERSIONS.history
