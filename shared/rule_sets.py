"""The rule sets that were ever in force, by version, and the one that is."""

from __future__ import annotations

from dataclasses import dataclass

from shared import audit, global_requests
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.flags import CONFIG, scoring_mark
from shared.models import AccountClass, iso
from shared.ports import ABSENT, Document, Fields, Query, Transaction, Write
from shared.scoring import DEFAULT_RULES, RuleSet

_STATE = "state/scoring"


@dataclass(frozen=True, slots=True)
class Versioned:
    """A rule set and its version, counted from 1, which is the default.

    ``restores`` is the former version that somebody went back to by it.
    """

    version: int
    rules: RuleSet
    changed_at: str | None = None
    changed_by: str | None = None
    restores: int | None = None


def current(services: Services) -> Versioned:
    """The rule set in force: that of the flag, else the stored one, else the default as version 1.

    Flags are read anew: boards that were made by older ones would stay.
    """
    document, flags = services.documents.get(_STATE, CONFIG)
    flagged = int(scoring_mark(flags, services.settings, services.now()))
    return version(services, flagged or _number(document))


def version(services: Services, number: int) -> Versioned:
    """A version that was once in force. Raises NotFound."""
    if number == 1:
        return Versioned(1, DEFAULT_RULES)
    (document,) = services.documents.get(f"rule_sets/{number}")
    if document is None:
        raise NotFound(f"There is no rule set {number}.")
    return _read(number, document)


def stored(services: Services) -> int:
    """The version that is stored as the one in force, whatever the flag says."""
    (document,) = services.documents.get(_STATE)
    return _number(document)


def history(services: Services, limit: int = 20) -> list[Versioned]:
    """Rule sets that were ever stored, newest first; the default comes last."""
    query = Query("rule_sets", order_by="version", descending=True, limit=limit)
    found = [
        _read(int(document.id), document) for document in services.documents.query(query).documents
    ]
    return [*found, Versioned(1, DEFAULT_RULES)][:limit]


def change(
    services: Services,
    caller: Caller,
    rules: RuleSet,
    *,
    seen: int | None = None,
    restores: int | None = None,
) -> Versioned:
    """Put a rule set in force. The boards are made anew by it.

    Rules that say the same make no new version. Raises Conflict if the version in force is not the
    one that was ``seen``.
    """

    def write(transaction: Transaction) -> int | None:
        before = _number(transaction.get(_STATE))
        if seen is not None and seen != before:
            raise Conflict(
                f"The rules were changed meanwhile: version {before} is in force, not {seen}. "
                "Read them again.",
                details={"version": before},
            )
        old = DEFAULT_RULES
        if before != 1:
            document = transaction.get(f"rule_sets/{before}")
            old = DEFAULT_RULES if document is None else _read(before, document).rules
        if rules.digest == old.digest:
            return None
        number = before + 1
        fields: Fields = {
            "version": number,
            "digest": rules.digest,
            "changed_at": iso(services.now()),
            "changed_by": caller.actor,
            "restores": restores,
        }
        body = rules.model_dump_json().encode()
        transaction.write(Write(_STATE, {"version": number}))
        transaction.write(Write(f"rule_sets/{number}", fields, body, if_version=ABSENT))
        transaction.write(
            audit.record(
                services,
                caller,
                "config.changed",
                ("scoring", str(number)),
                "The scoring rules were changed"
                if restores is None
                else f"The scoring rules of version {restores} were restored",
                old={"version": before, "rules": old.model_dump(mode="json")},
                new={"version": number, "rules": rules.model_dump(mode="json")},
            )
        )
        return number

    changed = services.documents.transact(write)
    if changed is not None:
        # A kill before this is healed by the schedule, which compares the rules.
        global_requests.request_global(services, caller)
    return version(services, changed or stored(services))


def restore(
    services: Services, caller: Caller, number: int, *, seen: int | None = None
) -> Versioned:
    """Go back to the rules of a former version, as a new one. Raises NotFound and as ``change``."""
    former = version(services, number)
    return change(services, caller, former.rules, seen=seen, restores=number)


def _number(document: Document | None) -> int:
    return 1 if document is None else int(str(document.fields["version"]))


def _read(number: int, document: Document) -> Versioned:
    rules = RuleSet.model_validate_json(document.body or b"{}")
    restores = document.fields.get("restores")
    return Versioned(
        number,
        rules,
        _text(document, "changed_at"),
        _text(document, "changed_by"),
        None if restores is None else int(str(restores)),
    )


def _text(document: Document, name: str) -> str | None:
    found = document.fields.get(name)
    return None if found is None else str(found)


def class_overrides(services: Services) -> dict[int, AccountClass]:
    """Accounts that a person has put into another class, by id."""
    (document,) = services.documents.get("state/account_classes")
    if document is None:
        return {}
    return {int(key): AccountClass(str(value)) for key, value in document.fields.items()}
