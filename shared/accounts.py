"""Human, bot or AI agent, and by which rule. The rules are ``account_rules.toml``."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from shared.canonical import fingerprint
from shared.models import AccountClass

_RULES_FILE = Path(__file__).parent / "account_rules.toml"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as events show it. ``type`` is GitHub's own word, where one said it."""

    id: int
    login: str | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of an account and the name of the rule that decided it."""

    account_class: AccountClass
    rule: str


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    account_class: AccountClass
    logins: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()
    mails: Mapping[str, str] = {}

    def fits(self, login: str, account_type: str | None) -> bool:
        return (
            login in self.logins
            or login.startswith(self.prefixes)
            or login.endswith(self.suffixes)
            or account_type in self.types
        )


@cache
def _rules() -> tuple[_Rule, ...]:
    raw = tomllib.loads(_RULES_FILE.read_text(encoding="utf-8"))
    return tuple(
        _Rule(
            **{("account_class" if key == "class" else key): value for key, value in rule.items()}
        )
        for rule in raw["rule"]
    )


_HUMAN = Classified(AccountClass.HUMAN, "nothing says otherwise")


class Classifier:
    """Applies the rules file, and before it the overrides that a person has made by account id."""

    def __init__(self, overrides: Mapping[int, AccountClass] | None = None) -> None:
        self._overrides = dict(overrides or {})

    def classify(self, account: Account) -> Classified:
        if account.id in self._overrides:
            return Classified(self._overrides[account.id], "override")
        login = (account.login or "").lower()
        for rule in _rules():
            if rule.fits(login, account.type):
                return Classified(rule.account_class, rule.name)
        return _HUMAN

    def reason(self, account_id: int, login: str, published: AccountClass) -> str | None:
        """The rule behind a published class, as far as id and login tell.

        Boards do not keep GitHub's own word for an account, so each word that a rule knows is
        tried. None if the rules have changed since and say something else.
        """
        types = sorted({type_ for rule in _rules() for type_ in rule.types})
        for type_ in (None, *types):
            found = self.classify(Account(account_id, login, type_))
            if found.account_class is published:
                return found.rule
        return None

    def others(self, accounts: Iterable[Account]) -> dict[int, Classified]:
        """Those of the accounts that are not human, by id."""
        classified = ((account.id, self.classify(account)) for account in accounts)
        return {
            account_id: found
            for account_id, found in classified
            if found.account_class is not AccountClass.HUMAN
        }

    def others_among(self, table: pa.Table) -> dict[int, Classified]:
        """``others`` of the rows of list_accounts.sql, most of which no rule can fit."""
        names = pc.coalesce(table["login"], pa.scalar(""))
        logins = pc.utf8_lower(names)
        possible = pc.invert(pc.string_is_ascii(names))  # Arrow's lower case may be another there
        ids = pa.array([*self._overrides], pa.int64())
        possible = pc.or_(possible, pc.is_in(table["account_id"], value_set=ids))
        for rule in _rules():
            for fits in (
                pc.is_in(logins, value_set=pa.array([*rule.logins], pa.string())),
                pc.is_in(table["account_type"], value_set=pa.array([*rule.types], pa.string())),
                *(pc.starts_with(logins, prefix) for prefix in rule.prefixes),
                *(pc.ends_with(logins, suffix) for suffix in rule.suffixes),
            ):
                possible = pc.or_(possible, fits)
        rows = table.filter(possible)
        columns = (rows[name].to_pylist() for name in ("account_id", "login", "account_type"))
        return self.others(Account(*account) for account in zip(*columns, strict=True))

    def others_named(
        self, table: pa.Table, digest: Callable[[str], str]
    ) -> list[dict[str, str | int | None]]:
        """Those of the rows of list_co_authors.sql that are not human: @agents of crediting.

        By account as everybody is, else by the address, of which rows and ``digest`` give the
        keyed hash: {id, login, mail, class}, in a stated order.
        """
        by_mail = {
            digest(mail): (login, rule.account_class)
            for rule in reversed(_rules())
            for mail, login in rule.mails.items()
        }
        found: set[tuple[int | None, str | None, str | None, str]] = set()
        for row in table.to_pylist():
            id_, login, mail = row["account_id"], row["login"], row["mail"]
            if id_ is not None:
                account = self.classify(Account(id_, login, row["account_type"]))
                if account.account_class is not AccountClass.HUMAN:
                    found.add((id_, login, None, account.account_class.value))
                    continue
            if mail in by_mail and id_ not in self._overrides:
                named, account_class = by_mail[mail]
                found.add((id_, login or named, mail, account_class.value))
        return [
            {"id": id_, "login": login, "mail": mail, "class": account_class}
            for id_, login, mail, account_class in sorted(found, key=repr)
        ]

    @property
    def digest(self) -> str:
        """SHA-256 of the rules and overrides: part of every receipt."""
        overrides = {str(key): str(value) for key, value in self._overrides.items()}
        rules = hashlib.sha256(_RULES_FILE.read_bytes()).hexdigest()
        return fingerprint({"rules": rules, "overrides": overrides})
