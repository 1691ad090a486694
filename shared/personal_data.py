"""Where people's data is: how each place is exported and emptied. One line a collection or dataset.

Whatever is stored stands here, or in ``NOBODY_IN`` with the reason; a test holds both against what
is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import (
    enrichment,
    exports,
    github_pages,
    notices,
    people,
    pseudonyms,
    repositories,
    sign_in,
    weekly_report,
)
from shared.boards import GLOBAL, pointer_path, repository_board
from shared.context import Services
from shared.errors import NotFound
from shared.models import WINDOW_DAYS, iso
from shared.ports import Fields, Json, Parameter, Transaction, Write
from shared.repositories import Repository
from shared.tables import Dataset

Accounts = Sequence[int]
Exported = list[Json]

MOST_BOARDS = 100
"""Repositories whose boards are looked at in an export."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A place that holds people. ``remove`` None: emptied by a step of its own, or ``kept``."""

    export: Callable[[Services, Accounts], Exported]
    remove: Callable[[Services, Accounts], None] | None = None
    kept: str = ""


def export(services: Services, account: int, *, skipped: int = 0, most: int = 1000) -> Fields:
    """Everything stored about a person, all merged accounts together, as JSON.

    Of each dataset come at most ``most`` rows from ``skipped`` on; ``more`` says whether one has
    more of them. The documents are whole every time, but for boards of the repositories that
    ``boards_left_out`` names.
    """
    accounts = people.current(services).accounts_of(account)
    facts: dict[str, Json] = {}
    more = False
    for dataset, statement in STATEMENTS.items():
        wanted: dict[str, Parameter] = {
            "account_ids": [*accounts],
            "top": most + 1,
            "skipped": skipped,
        }
        rows = services.warehouse.query(statement, wanted).to_pylist()
        more = more or len(rows) > most
        facts[dataset] = [{k: _plain(v) for k, v in row.items()} for row in rows[:most]]
    return {
        "accounts": [*accounts],
        "documents": {name: held.export(services, accounts) for name, held in HOLDINGS.items()},
        "facts": facts,
        "boards_left_out": [r.name for r in _with_boards(services)[MOST_BOARDS:]],
        "skipped": skipped,
        "more": more,
    }


def remove_documents(services: Services, accounts: Accounts) -> None:
    """Empty every collection that is emptied at once. Safe to repeat."""
    for holding in HOLDINGS.values():
        if holding.remove is not None:
            holding.remove(services, accounts)


def withdraw_reports(services: Services, ids: Sequence[int]) -> None:
    """Take ids, as they stand on boards, out of what is kept and told of weekly reports.

    Safe to repeat. Reports are made of boards, so this holds once no board shows them.
    """
    _forget_reports(services, ids)
    _withdraw_notices(services, ids)


def _plain(value: object) -> Json:
    if isinstance(value, datetime):
        return iso(value)
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{value!r} has no form in an export")


# --- how each collection is exported and emptied ------------------------------------------------


def _merges(services: Services, accounts: Accounts) -> Exported:
    merges = people.current(services).merges
    return [m.model_dump() for m in merges if {m.account, m.person} & set(accounts)]


def _wishes(services: Services, accounts: Accounts) -> Exported:
    wishes = people.current(services).opt_outs
    return [wish.model_dump(mode="json") for wish in wishes if wish.account in accounts]


def _pseudonyms(services: Services, accounts: Accounts) -> Exported:
    return [d.id for account in accounts for d in pseudonyms.mappings(services, account)]


def _forget_pseudonyms(services: Services, accounts: Accounts) -> None:
    found = [d for account in accounts for d in pseudonyms.mappings(services, account)]
    if found:
        services.documents.write([Write(document.path, None) for document in found])


def _trail(services: Services, accounts: Accounts) -> Exported:
    """Records of what was done to a person, or with a person: whom an account counts as, say."""
    found = {
        record.id: record
        for name in _pseudonyms(services, accounts)
        for field in _NAMING
        for record in people.everything(
            services.documents, "audit", ((field, "==", f"person:{name}"),)
        )
    }
    return [dict(found[id_].fields) for id_ in sorted(found)]


def _classes(services: Services, accounts: Accounts) -> Exported:
    (document,) = services.documents.get(_CLASSES)
    fields = {} if document is None else document.fields
    return [{"account": a, "class": fields[str(a)]} for a in accounts if str(a) in fields]


def _forget_classes(services: Services, accounts: Accounts) -> None:
    def forget(transaction: Transaction) -> None:
        document = transaction.get(_CLASSES)
        if document is not None and document.fields.keys() & set(map(str, accounts)):
            rest = {k: v for k, v in document.fields.items() if k not in map(str, accounts)}
            transaction.write(Write(_CLASSES, rest))

    services.documents.transact(forget)


def _places(services: Services, accounts: Accounts) -> Exported:
    known = people.current(services).anonymous
    shown = [known[a].shown_id or a if a in known else a for a in accounts]
    looked_at = _with_boards(services)[:MOST_BOARDS]
    boards = [GLOBAL, *(repository_board(r.github_id or 0) for r in looked_at)]
    places: Exported = []
    for board in boards:
        for window in WINDOW_DAYS:
            for id_ in shown:
                try:
                    piece = services.boards.person(board, window, github_id=id_)
                except NotFound:
                    continue
                places += [
                    {
                        "board": pointer_path(board, window),
                        "generation": piece.head.generation,
                        "github_id": row.github_id,
                        "username": row.username,
                        "class": row.account_class,
                        "rank": row.rank,
                        "score": f"{row.score:.2f}",
                        "counts": dict(row.counts),
                    }
                    for row in piece.rows
                ]
    return places


def _with_boards(services: Services) -> list[Repository]:
    return [r for r in repositories.everyone(services) if r.github_id is not None]


def _profiles(services: Services, accounts: Accounts) -> Exported:
    found = [enrichment.export(services, account) for account in accounts]
    return [profile for profile in found if profile is not None]


def _forget_profiles(services: Services, accounts: Accounts) -> None:
    for account in accounts:
        enrichment.forget(services, account)


def _pages(services: Services, accounts: Accounts) -> Exported:
    return [
        {name: _plain(value) for name, value in row.items()}
        for page in github_pages.everywhere(services)
        for row in github_pages.rows_about(page, accounts)
    ]


def _reports(services: Services, accounts: Accounts) -> Exported:
    return [{**found} for a in accounts for found in weekly_report.export(services, a)]


def _forget_reports(services: Services, accounts: Accounts) -> None:
    for account in accounts:
        weekly_report.forget(services, account)


def _notices(services: Services, accounts: Accounts) -> Exported:
    return [
        {"id": n.id, "at": n.at, "title": n.title, "text": n.text}
        for n in notices.waiting(services, weekly_report.EVENT)
        if weekly_report.names(n.details, accounts)
    ]


def _withdraw_notices(services: Services, accounts: Accounts) -> None:
    for notice in notices.waiting(services, weekly_report.EVENT):
        if weekly_report.names(notice.details, accounts):
            notices.withdraw(services, notice)


_CLASSES = "state/account_classes"

_NAMING = (
    "resource_id", "old_value.account", "new_value.account", "old_value.person", "new_value.person",
)  # fmt: skip
"""Fields of a record that may be somebody's pseudonym."""

_REDACTED = "rewritten by the step that redacts generations"

HOLDINGS: Mapping[str, Holding] = {
    "identities": Holding(_merges, kept="removed with the wish"),
    # Before pseudonyms: its record of the end names the account by one.
    "key_accounts": Holding(sign_in.of_person, sign_in.forget),
    "removals": Holding(_wishes, kept="the tombstone: it has to hold in later scrapes"),
    "pseudonyms": Holding(_pseudonyms, _forget_pseudonyms),
    "audit": Holding(_trail, kept="names people by pseudonyms that nobody can resolve any more"),
    "state": Holding(_classes, _forget_classes),
    "boards": Holding(_places, kept=_REDACTED),
    "contributors": Holding(_profiles, _forget_profiles),
    "exports": Holding(exports.of_person, kept="forgotten first, with every stored file"),
    "github_pages": Holding(_pages, github_pages.forget),
    "reports": Holding(_reports, _forget_reports),
    "notices": Holding(_notices, _withdraw_notices),
}
"""Collections that hold people, by name."""

NOBODY_IN: Mapping[str, str] = {
    "audit_seals": "digests of the trail's records, which name people by pseudonyms",
    "auth_failures": "when keys were refused, by a digest of address or key",
    "board_generations": "heads of generations: sums, first keys of indexes; redacted with them",
    "board_parts": "rows of generations, exported as boards; redacted with them",
    "archive_days": "which hours were extracted",
    "breakers": "states of services outside",
    "budget_configs": "limits of spending",
    "budget_days": "what was spent",
    "budget_months": "what was spent",
    "charges": "what a statement cost, for which job and repositories",
    "config": "settings that can be changed",
    "cost_days": "what was spent",
    "dead_letters": "which jobs failed",
    "export_limits": "when a key asked for exports",
    "flag_configs": "flags, as they were set",
    "github": "how far lists of a repository were read",
    "jobs": "what is to be done for a repository; a person's job names nobody",
    "keys": "API keys, whose holders are no contributors",
    "log_lines": "what jobs of repositories said; a person's job names nobody",
    "manifests": "units of the warehouse",
    "pipeline_occasions": "calls that began a pipeline",
    "pipelines": "runs of the pipeline",
    "removed_repositories": "repositories whose events are still to be removed",
    "request_budgets": "what is left of GitHub's allowance",
    "repositories": "registered repositories; an owner's name is part of the repository's",
    "repository_names": "names that registered repositories had",
    "rule_sets": "points",
    "units": "units of the warehouse",
}
"""Collections that hold nobody, and why."""

STATEMENTS: Mapping[Dataset, str] = {
    Dataset.EVENTS: "list_personal_events",
    Dataset.CONTRIBUTIONS: "list_personal_contributions",
    Dataset.STANDINGS: "list_personal_standings",
}
"""What lists people's rows. That of the events has those of every source."""
