"""GitHub's allowance: used up in the middle of twenty repositories, and what reading costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from shared import github_check, github_sync, jobs, repositories
from shared.context import SYSTEM, Services
from shared.jobs import Job, Stage
from shared.models import RepositoryName
from tests.support.by_hand import Handed, HandQueue, by_hand, deliver
from tests.support.fast_folder import fast_folder
from tests.support.github_bench import GitHubBench, github
from tests.support.github_story import NOW, busy, many
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services

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
        waits, ended = read_all(services, queue, clock, bench)
        asked = [one for one in bench.requests() if one["resource"] == "graphql"]
    assert ended.keys() == {*high, *bulk}
    assert not [one for one in asked if one["refused"]]
    by_hour = Counter[int]()
    for one in asked:
        at = datetime.fromisoformat(one["at"])
        by_hour[(at - datetime.fromisoformat(NOW)) // timedelta(hours=1)] += one["cost"]
    assert len(by_hour) > 1
    assert max(by_hour.values()) <= 60
    assert max(waits) >= datetime.fromisoformat(NOW) + timedelta(hours=1)
    # Who had to wait for the renewal comes back in the order of the queues.
    renewed = datetime.fromisoformat(NOW) + timedelta(hours=1)
    late = {id_: at for id_, at in ended.items() if at >= renewed}
    assert late.keys() & set(high)
    assert max(late[id_] for id_ in late.keys() & set(high)) <= min(
        late[id_] for id_ in late.keys() & set(bulk)
    )


def registered(services: Services, count: int) -> tuple[list[str], list[str]]:
    """Repositories of which the second half is backfill. Returns the ids of both halves' jobs."""
    made = [repositories.register(services, small(n), SYSTEM).job for n in range(count)]
    ids = [job.id for job in made if job is not None]
    for id_ in ids[count // 2 :]:
        job = jobs.get(services, id_).model_copy(update={"queue": "bulk", "dispatches": 1})
        services.documents.write([jobs.stored(job)])
        jobs.dispatch(services, job)
    return ids[: count // 2], ids[count // 2 :]


def read_all(
    services: Services, queue: HandQueue, clock: ManualClock, bench: GitHubBench
) -> tuple[set[datetime], dict[str, datetime]]:
    """Deliver what reads GitHub as it comes due, a queue at the same time, and let time pass.

    Returns until when jobs were told to wait, and when which had read everything.
    """
    waits: set[datetime] = set()
    ended: dict[str, datetime] = {}
    with ThreadPoolExecutor(10) as pool:
        while given := [handed for handed in queue.take() if reads(handed)]:
            due = [handed for handed in given if not_before(handed, clock()) <= clock()]
            queue.postponed += [handed for handed in given if handed not in due]
            for name in ("high", "bulk"):
                turn = [handed for handed in due if handed.task and handed.task.queue == name]
                assert all(pool.map(lambda handed: deliver(services, handed), turn))
                for job in (jobs.get(services, str(handed.data["job_id"])) for handed in turn):
                    if job.stage is Stage.SCRAPE:
                        ended[job.id] = clock()
            if not due:
                later = min(not_before(handed, clock()) for handed in queue.postponed)
                waits |= {not_before(handed, clock()) for handed in queue.postponed}
                bench.advance((later - clock()).total_seconds())
                clock.now = later
    return waits, ended


def reads(handed: Handed) -> bool:
    return handed.data.get("stage") == Stage.SYNC.value


def not_before(handed: Handed, now: datetime) -> datetime:
    return (handed.task.not_before if handed.task else None) or now


# --- what it costs ------------------------------------------------------------------------------


def cost_of(bench: GitHubBench) -> tuple[int, int, int]:
    """Requests by REST, queries by GraphQL and their points since the log was last forgotten."""
    asked = bench.requests()
    by_rest = [one for one in asked if one["resource"] == "core"]
    by_graphql = [one for one in asked if one["resource"] == "graphql"]
    return len(by_rest), len(by_graphql), sum(one["cost"] for one in by_graphql)


def read_whole(services: Services, job: Job | None) -> None:
    """All that GitHub has of a job's repository, without making boards of it."""
    assert job is not None
    while github_sync.sync(services, job)[0] is Stage.SYNC:
        pass


def test_the_docs_say_what_reading_costs() -> None:
    clock = ManualClock(datetime.fromisoformat(NOW))
    with github(busy(), tokens=[TOKEN]) as bench, world(bench, clock) as (services, _):
        registered = repositories.register(services, RepositoryName.parse("octo/busy"), SYSTEM)
        bench.control("forget")
        read_whole(services, registered.job)
        whole = cost_of(bench)
    with (
        github(many(100, pulls=1), tokens=[TOKEN]) as bench,
        world(bench, clock) as (services, _),
    ):
        for number in range(100):
            read_whole(services, repositories.register(services, small(number), SYSTEM).job)
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
