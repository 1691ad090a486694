"""GitHub's allowance: used up in the middle of twenty repositories, and what reading costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from shared import github_check, jobs, repositories
from shared.context import SYSTEM, Services
from shared.jobs import Job, State
from shared.models import RepositoryName, iso
from tests.support.by_hand import Handed, HandQueue, by_hand, deliver, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.github_bench import GitHubBench, github
from tests.support.github_story import NOW, busy, many
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services, unfinished

TOKEN = "a-token-of-the-stand-in"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "github.md"


@contextmanager
def world(bench: GitHubBench, now: Callable[[], datetime]) -> Iterator[tuple[Services, HandQueue]]:
    with fast_folder() as folder:
        made = open_services(
            folder / "data", now, github_token=TOKEN, github_api_url=bench.url, retry_seconds=(60,)
        )
        yield by_hand(made)
        made.github.close()  # type: ignore[union-attr]
        made.documents.close()  # type: ignore[attr-defined]
        made.warehouse.close()  # type: ignore[attr-defined]


def small(number: int) -> RepositoryName:
    return RepositoryName.parse(f"octo/small-{number}")


# --- used up in the middle ----------------------------------------------------------------------


def test_when_the_allowance_is_used_up_nobody_asks_before_its_renewal_and_all_finish_in_order() -> (
    None
):
    clock = ManualClock(datetime.fromisoformat(NOW))
    with (
        github(many(20), tokens=[TOKEN], graphql_allowance=60) as bench,
        world(bench, clock) as (services, queue),
    ):
        high, bulk = registered(services, 20)
        bench.control("forget")
        waits = run_until_done(services, queue, clock, bench)
        asked = [one for one in bench.requests() if one["resource"] == "graphql"]
    assert unfinished(services) == []
    assert not [one for one in asked if one["refused"]]
    by_hour = Counter[int]()
    for one in asked:
        at = datetime.fromisoformat(one["at"])
        by_hour[(at - datetime.fromisoformat(NOW)) // timedelta(hours=1)] += one["cost"]
    assert len(by_hour) > 1
    assert max(by_hour.values()) <= 60
    assert waits  # some were told to come back, with the time
    ended = {job_id: job.finished_at or "" for job_id, job in found(services).items()}
    assert max(ended[id_] for id_ in high) <= min(ended[id_] for id_ in bulk)


def registered(services: Services, count: int) -> tuple[list[str], list[str]]:
    """Repositories of which the second half is backfill. Returns the ids of both halves' jobs."""
    made = [repositories.register(services, small(n), SYSTEM).job for n in range(count)]
    ids = [job.id for job in made if job is not None]
    for id_ in ids[count // 2 :]:
        job = jobs.get(services, id_)
        services.documents.write([jobs.stored(job.model_copy(update={"queue": "bulk"}))])
    return ids[: count // 2], ids[count // 2 :]


def found(services: Services) -> dict[str, Job]:
    page = jobs.listed(services, {"type": "full_scrape"}, limit=100)
    return {document.id: jobs.read(document) for document in page.documents}


def run_until_done(
    services: Services, queue: HandQueue, clock: ManualClock, bench: GitHubBench
) -> list[str]:
    """Deliver what is due, all of a queue at the same time, and let time pass until all is done.

    Returns until when jobs were told to wait.
    """
    waits: set[str] = set()
    with ThreadPoolExecutor(10) as pool:
        for _ in range(200):
            given = queue.take()
            due = [h for h in given if h.task is None or (h.task.not_before or clock()) <= clock()]
            queue.postponed += [handed for handed in given if handed not in due]
            waits |= {
                iso(h.task.not_before) for h in queue.postponed if h.task and h.task.not_before
            }
            for turn in in_order(services, due):
                assert all(pool.map(lambda handed: deliver(services, handed), turn))
            if due:
                continue
            if not queue.postponed:
                return sorted(waits)
            later = min(not_before(handed, clock()) for handed in queue.postponed)
            bench.advance((later - clock()).total_seconds())
            clock.now = later
    raise AssertionError("it goes on and on")


def not_before(handed: Handed, now: datetime) -> datetime:
    return (handed.task.not_before if handed.task else None) or now


def in_order(services: Services, due: Sequence[Handed]) -> list[list[Handed]]:
    """First what is no task, then the queue high, then the others."""

    def rank(handed: Handed) -> int:
        task = handed.task
        if task is None:
            return 0
        job = jobs.get(services, str(task.body["job_id"])) if "job_id" in task.body else None
        return 1 if job is None or job.queue == "high" else 2

    return [[h for h in due if rank(h) == number] for number in range(3)]


# --- what it costs ------------------------------------------------------------------------------


def cost_of(bench: GitHubBench) -> tuple[int, int, int]:
    """Requests by REST, queries by GraphQL and their points since the log was last forgotten."""
    asked = bench.requests()
    by_rest = [one for one in asked if one["resource"] == "core"]
    by_graphql = [one for one in asked if one["resource"] == "graphql"]
    return len(by_rest), len(by_graphql), sum(one["cost"] for one in by_graphql)


def test_the_docs_say_what_reading_costs() -> None:
    clock = ManualClock(datetime.fromisoformat(NOW))
    with github(busy(), tokens=[TOKEN]) as bench, world(bench, clock) as (services, queue):
        repositories.register(services, RepositoryName.parse("octo/busy"), SYSTEM)
        bench.control("forget")
        deliver_all(services, queue)
        assert unfinished(services) == []
        whole = cost_of(bench)
    with (
        github(many(100, pulls=1), tokens=[TOKEN]) as bench,
        world(bench, clock) as (services, queue),
    ):
        for number in range(100):
            repositories.register(services, small(number), SYSTEM)
        deliver_all(services, queue)
        assert {job.state for job in found(services).values()} == {State.COMPLETED}
        bench.control("forget")
        assert github_check.check(services) == []
        quiet = cost_of(bench)
    text = DOCS.read_text(encoding="utf-8")
    for what, (rest, queries, points) in (
        ("first scrape of 1,000 pull requests", whole),
        ("the hourly question about 100 quiet repositories", quiet),
    ):
        line = next(line for line in text.splitlines() if what in line)
        assert line.endswith(f"| {rest} | {queries} | {points} |"), (what, rest, queries, points)
