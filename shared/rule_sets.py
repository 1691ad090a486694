"""The rule sets that were ever in force, by version, and the one that is."""

from __future__ import annotations

from dataclasses import dataclass

from shared.context import Services
from shared.errors import NotFound
from shared.models import AccountClass
from shared.scoring import DEFAULT_RULES, RuleSet


@dataclass(frozen=True, slots=True)
class Versioned:
    """A rule set and its version, counted from 1."""

    version: int
    rules: RuleSet


def current(services: Services) -> Versioned:
    """The rule set in force: the stored one, else the default as version 1."""
    (document,) = services.documents.get("state/scoring")
    if document is None:
        return Versioned(1, DEFAULT_RULES)
    return version(services, int(str(document.fields["version"])))


def version(services: Services, number: int) -> Versioned:
    """A version that was once in force. Raises NotFound."""
    if number == 1:
        return Versioned(1, DEFAULT_RULES)
    (document,) = services.documents.get(f"rule_sets/{number}")
    if document is None:
        raise NotFound(f"There is no rule set {number}.")
    return Versioned(number, RuleSet.model_validate_json(document.body or b"{}"))


def class_overrides(services: Services) -> dict[int, AccountClass]:
    """Accounts that a person has put into another class, by id."""
    (document,) = services.documents.get("state/account_classes")
    if document is None:
        return {}
    return {int(key): AccountClass(str(value)) for key, value in document.fields.items()}
