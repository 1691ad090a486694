"""What if the rules were others: who moves, by how much, through which kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared import people
from shared.board_reading import Selection
from shared.boards import ALL_CLASSES, Head, Row
from shared.context import Services
from shared.counted_windows import counted_windows
from shared.errors import NotFound
from shared.explain import EARLIEST
from shared.models import Kind, Window, parse_time
from shared.scoring import RuleSet, Score, Tally, score
from shared.tables import COUNT_COLUMNS

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Mover:
    """One person under both rule sets. Scores and points in thousandths.

    ``places`` is positive for a climb. ``by_kind`` is what each kind's points changed by.
    """

    github_id: int
    username: str
    account_class: str
    rank_before: int
    rank_after: int
    score_before: int
    score_after: int
    by_kind: Mapping[Kind, int]

    @property
    def places(self) -> int:
        return self.rank_before - self.rank_after


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rule sets over the facts of one board: everybody who is on it, by the new rank."""

    head: Head
    everyone: tuple[Mover, ...]

    def movers(self) -> list[Mover]:
        """Those whose rank or score changes, the largest moves first."""
        moved = [m for m in self.everyone if m.places or m.score_before != m.score_after]
        moved.sort(
            key=lambda m: (-abs(m.places), -abs(m.score_after - m.score_before), m.rank_after)
        )
        return moved


def compare(
    services: Services,
    board: str,
    window: str,
    account_class: str,
    repo_ids: Sequence[int],
    rules: tuple[RuleSet, RuleSet],
) -> Comparison:
    """Rescore a board under two rule sets and rank both. Raises NotFound if it is not published.

    A repository's board is rescored from its published counts, reading documents only, unless a
    modifier asks for days and sizes; the global board is rescored from standings, because caps
    hold per repository.
    """
    head, rows = _everybody(services, board, window, account_class)
    by_counts = all(rule_set.by_counts for rule_set in rules)
    if by_counts and len(repo_ids) == 1:
        tallies = _from_rows(rows)
    elif by_counts:
        tallies = _from_standings(services, window, repo_ids)
    else:
        tallies = _from_contributions(services, head, repo_ids)
    hidden = people.current(services).anonymous
    tallies = {hidden[i].shown_id or i if i in hidden else i: t for i, t in tallies.items()}
    before, after = (
        {row.github_id: _total(tallies.get(row.github_id, {}), rule_set) for row in rows}
        for rule_set in rules
    )
    ranks_before, ranks_after = _ranks(before), _ranks(after)
    everyone = [
        Mover(
            row.github_id,
            row.username,
            row.account_class,
            ranks_before[row.github_id],
            ranks_after[row.github_id],
            before[row.github_id][0],
            after[row.github_id][0],
            _changes(before[row.github_id][1], after[row.github_id][1]),
        )
        for row in rows
    ]
    everyone.sort(key=lambda mover: mover.rank_after)
    return Comparison(head, tuple(everyone))


_ByRepository = Mapping[int, Sequence[Tally]]
_Scored = tuple[int, Mapping[Kind, int]]


def _everybody(
    services: Services, board: str, window: str, account_class: str
) -> tuple[Head, list[Row]]:
    rows: list[Row] = []
    head = services.boards.head(board, window)
    while True:
        piece = services.boards.read(
            board,
            window,
            Selection(account_class, offset=len(rows), limit=_PAGE),
            head.generation,
        )
        rows += piece.rows
        if not piece.rows or len(rows) >= piece.total:
            break
    if not rows:
        raise NotFound(
            f"Nobody of class {account_class} is on this board.",
            details={"class": account_class, "all": ALL_CLASSES},
        )
    return head, rows


def _from_rows(rows: Iterable[Row]) -> dict[int, _ByRepository]:
    return {
        row.github_id: {0: [Tally(kind, row.counts[kind]) for kind in Kind if row.counts[kind]]}
        for row in rows
    }


def _from_standings(
    services: Services, window: str, repo_ids: Sequence[int]
) -> dict[int, _ByRepository]:
    table = services.warehouse.query(
        "list_standings", {"window": window, "repo_ids": list(repo_ids)}
    )
    found: dict[int, dict[int, Sequence[Tally]]] = defaultdict(dict)
    for row in table.to_pylist():
        found[row["contributor_id"]][row["repo_id"]] = [
            Tally(kind, row[column]) for kind, column in COUNT_COLUMNS.items() if row[column]
        ]
    return dict(found)


def _from_contributions(
    services: Services, head: Head, repo_ids: Sequence[int]
) -> dict[int, _ByRepository]:
    inputs = head.receipt.inputs
    start = None if inputs.start is None else parse_time(inputs.start)
    window = Window(head.window, start, parse_time(inputs.end))
    found: dict[int, dict[int, list[Tally]]] = defaultdict(lambda: defaultdict(list))
    for span, counted in counted_windows(services, repo_ids, window).items():
        table = services.warehouse.query(
            "tally_board",
            {"repo_ids": counted, "start_at": span.start or EARLIEST, "end_at": span.end},
        )
        for row in table.to_pylist():
            found[row["contributor_id"]][row["repo_id"]].append(
                Tally(
                    Kind(row["kind"]),
                    row["quantity"],
                    row["age_days"],
                    row["self_merged"],
                    row["pr_size"],
                )
            )
    return {contributor: dict(parts) for contributor, parts in found.items()}


def _total(by_repository: _ByRepository, rules: RuleSet) -> _Scored:
    """A global score is the sum of the repository scores; so are the points of each kind."""
    parts: list[Score] = [score(tallies, rules) for tallies in by_repository.values()]
    points: dict[Kind, int] = defaultdict(int)
    for part in parts:
        for kind_score in part.kinds:
            points[kind_score.kind] += kind_score.points
    return sum(part.total for part in parts), points


def _ranks(scored: Mapping[int, _Scored]) -> dict[int, int]:
    ordered = sorted(scored, key=lambda id_: (-scored[id_][0], id_))
    return {id_: rank for rank, id_ in enumerate(ordered, 1)}


def _changes(before: Mapping[Kind, int], after: Mapping[Kind, int]) -> dict[Kind, int]:
    changes = {kind: after.get(kind, 0) - before.get(kind, 0) for kind in Kind}
    return {kind: change for kind, change in changes.items() if change}
