"""Humans, bots and agents: the rules file and how it is applied."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import shared.accounts
from shared.accounts import Account, Classified, Classifier
from shared.mails import mail_digest
from shared.models import AccountClass

FILE = Path(shared.accounts.__file__).with_name("account_rules.toml")
RULES: list[dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))["rule"]

EXAMPLES = [
    (rule, login)
    for rule in RULES
    for login in (
        *rule.get("logins", ()),
        *(f"{prefix}example" for prefix in rule.get("prefixes", ())),
        *(f"example{suffix}" for suffix in rule.get("suffixes", ())),
    )
]


def classify(login: str | None, type_: str | None = None) -> Classified:
    return Classifier().classify(Account(1, login, type_))


@pytest.mark.parametrize(("rule", "login"), EXAMPLES, ids=[login for _, login in EXAMPLES])
def test_every_entry_of_the_rules_file_decides_what_it_stands_for(
    rule: dict[str, Any], login: str
) -> None:
    expected = Classified(AccountClass(rule["class"]), rule["name"])
    assert classify(login) == expected
    assert classify(login.upper()) == expected
    assert classify(login, "User") == expected


def test_who_is_named_in_work_is_known_by_account_or_by_the_hash_of_an_address() -> None:
    def digest(mail: str) -> str:
        return mail_digest("a secret of some length", mail)

    rows = [
        (11, "ana", "User", digest("ana@example.org")),
        (12, "claude-code[bot]", "Bot", None),
        (13, "renamed", "User", digest(" NoReply@Anthropic.com ")),
        (14, "somebody", "User", digest("noreply@anthropic.com")),
        (49699333, "dependabot[bot]", "Bot", None),
        (None, None, None, digest("cursoragent@cursor.com")),
        (None, None, None, digest("ben@example.org")),
    ]
    names = ("account_id", "login", "account_type", "mail")
    table = pa.table({name: [row[n] for row in rows] for n, name in enumerate(names)})
    found = Classifier({14: AccountClass.HUMAN}).others_named(table, digest)
    assert {(f["id"], f["login"], f["mail"] is None, f["class"]) for f in found} == {
        (12, "claude-code[bot]", True, "agent"),
        (13, "renamed", False, "agent"),
        (49699333, "dependabot[bot]", True, "bot"),
        (None, "cursoragent", False, "agent"),
    }
    assert found == Classifier({14: AccountClass.HUMAN}).others_named(
        table.take([6, 5, 4, 3, 2, 1, 0]), digest
    )


def test_addresses_of_agents_are_in_lower_case_and_alphabetical() -> None:
    for rule in RULES:
        mails = list(rule.get("mails", {}))
        assert mails == sorted({mail.strip().lower() for mail in mails})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["name"]))
def test_every_rule_decides_something(rule: dict[str, Any]) -> None:
    by_name = any(own is rule for own, _ in EXAMPLES)
    by_type = any(classify("ana", type_).rule == rule["name"] for type_ in rule.get("types", ()))
    assert by_name or by_type


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["name"]))
def test_the_lists_are_in_lower_case_and_alphabetical_without_duplicates(
    rule: dict[str, Any],
) -> None:
    logins = rule.get("logins", [])
    assert logins == sorted(set(logins))
    for words in (logins, rule.get("prefixes", []), rule.get("suffixes", [])):
        assert words == [word.lower() for word in words]


def test_rules_have_names_of_their_own_and_no_login_stands_in_two() -> None:
    names = [rule["name"] for rule in RULES]
    logins = [login for rule in RULES for login in rule.get("logins", ())]
    assert len(names) == len(set(names))
    assert len(logins) == len(set(logins))


@pytest.mark.parametrize(
    ("login", "type_", "account_class"),
    [
        ("ana", None, "human"),
        ("ana", "User", "human"),
        ("ana", "Organization", "human"),
        (None, None, "human"),
        ("", None, "human"),
        ("bothwell", "User", "human"),
        ("robot", "User", "human"),
        ("abbot", "User", "human"),
        ("claude-monet", "User", "human"),
        ("ana", "Bot", "bot"),
        ("dependabot[bot]", "Bot", "bot"),
        ("Some-New-Thing[bot]", None, "bot"),
        ("Copilot", "Bot", "agent"),
        ("Copilot", None, "agent"),
        ("claude[bot]", "Bot", "agent"),
    ],
)
def test_accounts_are_told_apart(login: str | None, type_: str | None, account_class: str) -> None:
    assert classify(login, type_).account_class == account_class


def test_a_human_is_one_of_whom_nothing_says_otherwise() -> None:
    assert classify("ana").rule == "nothing says otherwise"


def test_a_persons_correction_comes_before_every_rule() -> None:
    classifier = Classifier({1: AccountClass.HUMAN, 2: AccountClass.AGENT})
    assert classifier.classify(Account(1, "dependabot[bot]", "Bot")) == Classified(
        AccountClass.HUMAN, "override"
    )
    assert classifier.classify(Account(2, "ana", "User")) == Classified(
        AccountClass.AGENT, "override"
    )
    assert classifier.classify(Account(3, "dependabot[bot]", "Bot")).account_class == "bot"


def test_those_who_are_not_human_are_listed_with_the_rule() -> None:
    accounts = [
        Account(1, "ana", "User"),
        Account(2, "Copilot", "Bot"),
        Account(3, "renovate[bot]", "Bot"),
    ]
    others = Classifier().others(accounts)
    assert {id_: found.account_class.value for id_, found in others.items()} == {
        2: "agent",
        3: "bot",
    }


def test_the_digest_stands_for_rules_and_corrections() -> None:
    plain, corrected = Classifier(), Classifier({1: AccountClass.BOT, 2: AccountClass.HUMAN})
    assert plain.digest == Classifier({}).digest
    assert corrected.digest not in {plain.digest, Classifier({1: AccountClass.BOT}).digest}
    assert corrected.digest == Classifier({2: AccountClass.HUMAN, 1: AccountClass.BOT}).digest


def test_a_table_of_accounts_is_classified_like_each_of_them() -> None:
    logins = [
        None,
        "ana",
        "ANA-BOT",
        "\u212aelvin",
        "Cop\u0130lot",
        *(name for _, name in EXAMPLES),
    ]
    accounts = [
        Account(number, login and login.upper(), type_)
        for number, (login, type_) in enumerate(
            (login, type_) for login in logins for type_ in (None, "User", "Bot")
        )
    ]
    table = pa.table(
        {
            "account_id": [account.id for account in accounts],
            "login": [account.login for account in accounts],
            "account_type": [account.type for account in accounts],
        }
    )
    for overrides in ({}, {0: AccountClass.BOT, 3: AccountClass.AGENT, 9: AccountClass.HUMAN}):
        classifier = Classifier(overrides)
        assert classifier.others_among(table) == classifier.others(accounts)
