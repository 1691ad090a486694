"""The flags that an owner has stored, by version, and what they come to for a caller."""

from __future__ import annotations

from dataclasses import dataclass

from shared import audit, flags, global_requests, rule_sets
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.flags import CONFIG, Flag, Rules, rules_in, stored_form
from shared.models import iso
from shared.ports import ABSENT, Document, Fields, Query, Transaction, Write


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


def current(services: Services) -> Stored:
    """What is stored now, past the cache."""
    (document,) = services.documents.get(CONFIG)
    return _read(document)


def history(services: Services, limit: int = 20) -> list[Stored]:
    """What was stored, newest first."""
    query = Query("flag_configs", order_by="version", descending=True, limit=limit)
    return [_read(document) for document in services.documents.query(query).documents]


def change(services: Services, caller: Caller, rules: Rules, *, seen: int | None = None) -> Stored:
    """Store rules in place of all before. All instances know them within half a minute.

    What is stored already makes no new version. Raises Conflict if the version is not the one that
    was ``seen``, NotFound for a rule set that there is not.
    """
    variant = rules.new_scoring_algorithm
    if variant is not None and variant.value:
        rule_sets.version(services, int(variant.value))

    def write(transaction: Transaction) -> tuple[Stored, bool]:
        before = _read(transaction.get(CONFIG))
        if seen is not None and seen != before.version:
            raise Conflict(
                f"The flags were changed meanwhile: version {before.version} is stored, not "
                f"{seen}. Read them again.",
                details={"version": before.version},
            )
        if rules == before.rules:
            return before, False
        after = Stored(before.version + 1, rules, iso(services.now()), caller.actor)
        transaction.write(Write(CONFIG, after.fields))
        transaction.write(Write(f"flag_configs/{after.version}", after.fields, if_version=ABSENT))
        transaction.write(
            audit.record(
                services,
                caller,
                "config.changed",
                ("flags", str(after.version)),
                "Flags were changed",
                old=before.fields["flags"],
                new=after.fields["flags"],
            )
        )
        return after, before.rules.new_scoring_algorithm != rules.new_scoring_algorithm

    after, rescores = services.documents.transact(write)
    services.flags.know(after.rules)
    if rescores:
        # A kill before this is healed by the schedule, which compares the rules.
        global_requests.request_global(services, caller)
    return after


def version(services: Services, number: int) -> Stored:
    """What was once stored. Raises NotFound."""
    if number == 0:
        return Stored(0, Rules())
    (document,) = services.documents.get(f"flag_configs/{number}")
    if document is None:
        raise NotFound(f"There is no version {number} of the flags.")
    return _read(document)


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
