"""Recomputing a receipt: from the contributions, through the rules, to the hash of the board."""

from __future__ import annotations

from dataclasses import dataclass

from shared import rule_sets
from shared.board_parts import Ranks, encode
from shared.boards import Head
from shared.canonical import fingerprint
from shared.context import Services
from shared.errors import NotFound
from shared.models import parse_time, published_windows
from shared.ports import Unit
from shared.recalculation import drafts_of, find_unit
from shared.rule_sets import Versioned
from shared.statements import windows_parameter
from shared.tables import Dataset


@dataclass(frozen=True, slots=True)
class Verified:
    """A published board against what its facts give now. No differences: the receipt holds.

    ``differences`` names what changed: an input of the receipt (facts, rules, method, accounts,
    people, start, end), ``standings`` (stored counts that the facts do not give), ``board``.
    """

    window: str
    generation: str
    published: str
    recomputed: str
    differences: tuple[str, ...]
    redacted: bool = False
    """Somebody's row was rewritten since: the parts are held against their own digests only."""

    @property
    def holds(self) -> bool:
        return not self.differences


def verify(services: Services, board: str, name: str, repo_ids: list[int]) -> list[Verified]:
    """Recompute the boards over some repositories and compare, publishing nothing.

    Raises NotFound if the board, or the facts it was made from, are not kept.
    """
    standings = [u for id_ in repo_ids if (u := find_unit(services, Dataset.STANDINGS, id_))]
    if not standings:
        raise NotFound(f"The facts of {name} are not kept.")
    rules = rule_sets.current(services)
    wrong = [unit for unit in standings if not _counts_hold(services, unit, rules)]
    results: list[Verified] = []
    for draft in drafts_of(services, board, name, tuple(standings), rules):
        head = services.boards.head(board, draft.inputs.window)
        if head.redacted:
            results.append(_of_redacted(services, head))
            continue
        recomputed = encode(draft.rows, "verification", Ranks()).board_digest
        then, now = head.receipt.inputs.model_dump(), draft.inputs.model_dump()
        differences = [key for key in then if then[key] != now[key]]
        if wrong:
            differences.append("standings")
        if head.receipt.board != recomputed:
            differences.append("board")
        results.append(
            Verified(
                head.window, head.generation, head.receipt.board, recomputed, tuple(differences)
            )
        )
    return results


def _of_redacted(services: Services, head: Head) -> Verified:
    """What can be said of it: that every part is what was written when it was rewritten."""
    published = head.receipt.board
    broken = () if services.publisher.holds(head) else ("board",)
    return Verified(head.window, head.generation, published, published, broken, redacted=True)


def _counts_hold(services: Services, unit: Unit, rules: Versioned) -> bool:
    """True if a repository's stored standings are what its contributions give."""
    repo_id = int(str(unit.about["repo_id"]))
    digest = services.warehouse.query("digest_contributions", {"repo_id": repo_id})
    windows = published_windows(parse_time(str(unit.about["as_of"])))
    counted = services.warehouse.query(
        "count_standings",
        {
            "repo_ids": [repo_id],
            "windows": windows_parameter(windows),
            "rule_set": rules.rules.parameter,
        },
    ).to_pylist()
    stored = [
        row
        for window in windows
        for row in services.warehouse.query(
            "list_standings", {"repo_ids": [repo_id], "window": window.name}
        ).to_pylist()
    ]

    def place(row: dict[str, object]) -> tuple[str, str]:
        return str(row["window_name"]), str(row["contributor_id"])

    same = sorted(counted, key=place) == sorted(stored, key=place)
    return same and fingerprint(digest.to_pylist()) == unit.about["facts"]
