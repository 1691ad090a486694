"""An independent account of how two sources become one list of contributions.

Written from docs/counting.md and docs/decisions/second-source.md in plain Python over plain
records. See ``tests/support/oracle.py`` for the archive alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.support.oracle_credit import IMPLAUSIBLE_ABOVE, distinct
from tests.support.oracle_reading import Event

Record = dict[str, Any]
Entries = Sequence[Mapping[str, Any]]
REMOVED = 0
PULL_KINDS = {"PR_OPENED", "PR_MERGED", "LINES_ADDED", "LINES_DELETED"}


@dataclass(frozen=True, slots=True)
class Rules:
    """What crediting takes beside events: spans (kind, from, until), people, agents, credit."""

    spans: Sequence[tuple[str, datetime, datetime]] = ()
    people: Entries = ()
    agents: Entries = ()
    agent_credit: str = "author"


@dataclass(frozen=True, slots=True)
class Deed:
    """A contribution on record; ``agent`` and ``human`` are ids or, without one, logins."""

    kind: str
    subject: str
    contributor_id: int | None
    actor_id: int | None
    occurred_at: datetime
    quantity: int | None
    exclusion: str | None
    event_id: str
    source: str
    agent: int | str | None = None
    human: int | str | None = None


def credit(archive: Iterable[Event], told: Iterable[Record], rules: Rules) -> list[Deed]:
    """The contributions of one repository."""
    records = [*map(_from_archive, distinct(archive)), *_from_github(told)]
    for record in records:
        for role in ("actor", "author"):
            record[role], record[role + "_login"] = _person(
                rules.people, record[role], record[role + "_login"]
            )
    records.sort(key=lambda r: (r["at"], r["id"]))
    authors = _authors(records)
    works = _works(records, rules)
    claims = [
        (record, kind, subject, quantity)
        for record in records
        for kind, subject, quantity in _claims(record, records)
    ]
    deeds: list[Deed] = []
    for record, kind, subject, quantity in claims:
        moment = _deciding_time(record, kind, subject, claims)
        githubs = any(k == kind and start <= moment < end for k, start, end in rules.spans)
        if githubs == (record["source"] == "github"):
            deed = _deed(record, kind, subject, quantity, authors, works, rules)
            deeds += [deed] if deed else []
    return _leave_out_repeated(deeds)


# --- records ------------------------------------------------------------------------------------


def _from_archive(event: Event) -> Record:
    known = event.distinct_size is not None
    return {
        "source": "archive", "id": event.id, "type": event.type, "at": event.created_at,
        "actor": event.actor_id, "actor_login": None, "author": event.author_id,
        "author_login": None, "action": event.action, "number": event.number,
        "object": event.object_id, "merged": event.merged, "additions": event.additions,
        "deletions": event.deletions, "parents": None, "head": None, "mail": None, "others": None,
        "commits": event.distinct_size if known else event.listed_distinct,
    }  # fmt: skip


def _from_github(told: Iterable[Record]) -> Iterator[Record]:
    latest: dict[str, Record] = {}
    for row in told:
        held = latest.get(row["event_id"])
        if held is None or row["observed_at"] > held["observed_at"]:
            latest[row["event_id"]] = row
    for row in latest.values():
        others = row.get("co_authors" if row["event_type"] == "Commit" else "assignees")
        yield {
            "source": "github", "id": row["event_id"], "type": row["event_type"],
            "at": row["created_at"], "actor": row["actor_id"], "actor_login": row["actor_login"],
            "author": row.get("author_id"), "author_login": row.get("author_login"),
            "action": row.get("action"), "number": row.get("number"),
            "object": row.get("object_id"), "merged": row.get("merged"),
            "additions": row.get("additions"), "deletions": row.get("deletions"),
            "parents": row.get("parents"), "head": row.get("head"),
            "mail": row.get("author_mail"), "commits": 1,
            "others": None if others is None else json.loads(others),
        }  # fmt: skip


def _person(people: Entries, id_: int | None, login: str | None) -> tuple[int | None, str | None]:
    for entry in people:
        if entry["account"] == id_:
            return (REMOVED if entry["person"] is None else entry["person"], entry["login"])
    return id_, login


def _authors(records: Sequence[Record]) -> dict[int, int]:
    named: dict[int, int] = {}
    opened: dict[int, int] = {}
    for record in records:
        if record["number"] is None:
            continue
        if record["author"] is not None:
            named.setdefault(record["number"], record["author"])
        elif record["action"] == "opened" and record["actor"] is not None:
            opened.setdefault(record["number"], record["actor"])
    return opened | named


# --- claims -------------------------------------------------------------------------------------


_BY_OBJECT = {
    "PullRequestReviewEvent": ("PR_REVIEWED", ""),
    "IssueCommentEvent": ("COMMENT", "issue "),
    "ReleaseEvent": ("RELEASE", ""),
}
_BY_NUMBER = {
    ("PullRequestEvent", "opened"): "PR_OPENED",
    ("IssuesEvent", "opened"): "ISSUE_OPENED",
    ("IssuesEvent", "closed"): "ISSUE_CLOSED",
}


def _claims(record: Record, records: Sequence[Record]) -> Iterator[tuple[str, str, int | None]]:
    number, thing, what = str(record["number"]), str(record["object"]), record["type"]
    if what == "PushEvent":
        yield "COMMIT", thing, record["commits"]
    if what == "Commit":
        yield "COMMIT", record["head"], 1
    if what in _BY_OBJECT:
        kind, prefix = _BY_OBJECT[what]
        yield kind, prefix + thing, 1
    if (what, record["action"]) in _BY_NUMBER:
        yield _BY_NUMBER[what, record["action"]], number, 1
    elif what == "PullRequestEvent" and (record["action"] == "merged" or record["merged"]):
        yield "PR_MERGED", number, 1
        kinds = ("LINES_ADDED", "LINES_DELETED")
        known = zip(kinds, _lines(record, records), strict=True)
        yield from ((kind, number, lines) for kind, lines in known if lines)


def _lines(record: Record, records: Sequence[Record]) -> tuple[int | None, int | None]:
    """The lines of a merge; those of a stub as GitHub tells them."""
    if record["additions"] is None and record["deletions"] is None:
        for other in records:
            same = other["source"] == "github" and other["number"] == record["number"]
            if same and other["type"] == "PullRequestEvent" and other["additions"] is not None:
                return other["additions"], other["deletions"]
    return record["additions"], record["deletions"]


def _deciding_time(
    record: Record, kind: str, subject: str, claims: Iterable[tuple[Record, str, str, int | None]]
) -> datetime:
    of = "PR_MERGED" if kind in {"LINES_ADDED", "LINES_DELETED"} else kind
    times = [
        r["at"]
        for r, k, s, _ in claims
        if r["source"] == "github"
        and (k, s) == (of, subject)
        and kind not in {"COMMIT", "ISSUE_CLOSED"}
    ]
    decided: datetime = min(times, default=record["at"])
    return decided


def _deed(
    record: Record,
    kind: str,
    subject: str,
    quantity: int | None,
    authors: Mapping[int, int],
    works: Mapping[tuple[bool, str], tuple[Any, Any]],
    rules: Rules,
) -> Deed | None:
    author = authors.get(record["number"])
    if kind in {"PR_OPENED", "ISSUE_OPENED"}:
        named = next(
            (i for i in (record["author"], record["actor"], author) if i is not None), None
        )
    else:
        named = author if kind in PULL_KINDS else record["actor"]
    if named == REMOVED:
        return None
    agent, human = (None, None)
    if kind == "COMMIT" or kind in PULL_KINDS:
        agent, human = works.get((kind == "COMMIT", subject), (None, None))
    instead = {"agent": agent, "human": human}.get(rules.agent_credit)
    credited = instead if isinstance(instead, int) else named
    return Deed(
        kind, subject, credited, record["actor"] or None, record["at"], quantity,
        _exclusion(record, kind, quantity, author, credited), record["id"], record["source"],
        agent, human,
    )  # fmt: skip


def _exclusion(
    record: Record, kind: str, quantity: int | None, author: int | None, credited: int | None
) -> str | None:
    if quantity is not None and not 0 <= quantity <= IMPLAUSIBLE_ABOVE:
        return "implausible"
    if kind == "PR_REVIEWED" and author is not None and author == record["actor"]:
        return "own_pull_request"
    if (record["parents"] or 0) >= 2:
        return "merge_commit"
    if quantity is None:
        return "commits_unknown"
    if quantity == 0:
        return "no_distinct_commits"
    if credited is not None:
        return None
    if record["type"] == "Commit":
        return "author_unlinked"
    return "account_deleted" if record["source"] == "github" else "author_unknown"


def _leave_out_repeated(deeds: Iterable[Deed]) -> list[Deed]:
    taken: set[tuple[str, str]] = set()
    result: list[Deed] = []
    for deed in sorted(deeds, key=lambda d: (d.occurred_at, d.event_id)):
        counts = deed.exclusion is None and deed.kind != "ISSUE_CLOSED"
        again = counts and (deed.kind, deed.subject) in taken
        result.append(replace(deed, exclusion="repeated") if again else deed)
        if counts:
            taken.add((deed.kind, deed.subject))
    return result


# --- agents -------------------------------------------------------------------------------------


def _works(records: Sequence[Record], rules: Rules) -> dict[tuple[bool, str], tuple[Any, Any]]:
    """Agent and human of commits (True, SHA) and pull requests (False, number)."""
    found: dict[tuple[bool, str], Record] = {}
    for record in records:
        if record["source"] == "github" and record["type"] in {"Commit", "PullRequestEvent"}:
            is_commit = record["type"] == "Commit"
            key = (is_commit, record["head"] if is_commit else str(record["number"]))
            held = found.get(key)
            rank = (record["others"] is not None, record["id"])
            if held is None or rank > (held["others"] is not None, held["id"]):
                found[key] = record
    works = ((key, _parties(key[0], record, rules)) for key, record in found.items())
    return {key: parties for key, parties in works if parties is not None}


def _parties(is_commit: bool, record: Record, rules: Rules) -> tuple[Any, Any] | None:
    id_, login = record["author"], record["author_login"]
    if is_commit or (id_ is None and record["action"] == "opened"):
        id_, login = record["actor"], record["actor_login"]
    others = [
        {**other, "id": person, "login": name}
        for other in record["others"] or ()
        for person, name in [_person(rules.people, other["id"], other["login"])]
    ]
    own = _entry(rules.agents, id_, record["mail"] if id_ is None else None)
    if own is not None and own.get("class", "agent") == "agent":
        human = next(
            (
                other["id"]
                for other in others
                if other["id"] and other["type"] in {None, "User"}
                and _entry(rules.agents, other["id"], other.get("mail")) is None
            ),
            None,
        )  # fmt: skip
        return (id_ if id_ is not None else own["id"] or own["login"]), human
    if own is None and is_commit:
        for other in others:
            entry = _entry(rules.agents, other["id"], other.get("mail"))
            if entry is not None and entry.get("class", "agent") == "agent":
                return other["id"] or entry["id"] or entry["login"], id_ or login
    return None


def _entry(agents: Entries, id_: int | None, mail: str | None) -> Mapping[str, Any] | None:
    by_id = (a for a in agents if id_ is not None and a["id"] == id_)
    by_mail = (a for a in agents if mail is not None and a["mail"] == mail)
    return next(by_id, None) or next(by_mail, None)
