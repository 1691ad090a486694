"""From contributions to published boards: a repository's standings, its boards, the global ones."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import structlog

from shared import (
    audit,
    authority,
    global_requests,
    job_steps,
    jobs,
    people,
    repositories,
    rule_sets,
)
from shared.accounts import Classifier
from shared.board_summary import Months, months_by_window
from shared.boards import GLOBAL, repository_board
from shared.canonical import fingerprint
from shared.context import Caller, Services
from shared.coverage import Coverage, captured, measure, together, with_github
from shared.crediting import credit_of
from shared.errors import NotFound, RetryLater
from shared.global_requests import request_global as request_global
from shared.jobs import Job, JobType, Stage
from shared.labels import with_borne_names
from shared.messages import CHANGED
from shared.metrics import RECALCULATIONS
from shared.models import Window, iso, parse_time, published_windows
from shared.ports import Json, Unit
from shared.publishing import Draft, Published
from shared.receipts import Inputs, facts_digest, window_text
from shared.recounts import texts_of
from shared.repositories import Repository, unit_name
from shared.rule_sets import Versioned
from shared.statements import method_digest, windows_parameter
from shared.tables import Dataset

log = structlog.get_logger()


def recalculate(services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
    """The step of the stages BOARDS and GLOBAL; the first calls for the second."""
    log.info("leaderboard_recalc_started", stage=job.stage.value)
    if job.stage is Stage.GLOBAL:
        result: dict[str, Json] = recalculate_global(services, job)
    else:
        result = _recalculate_one(services, job)
        # Before the job completes: said afterwards, a kill between the two would be for good.
        if job.anew:
            # One of very many: the global boards follow all of them at once.
            global_requests.note_change(services)
        else:
            services.events.publish(CHANGED, {"board": job.repository or ""}, {})
    log.info("leaderboard_recalc_completed", stage=job.stage.value)
    return None, result


# --- a repository -----------------------------------------------------------------------------


def _recalculate_one(services: Services, job: Job) -> dict[str, Json]:
    (document,) = services.documents.get(f"repositories/{job.repository_key}")
    if document is None:
        if "repo_id" in job.result:
            _withdrawn(services, int(str(job.result["repo_id"])))
        raise NotFound(f"{job.repository} is not registered any more.")
    repository = repositories.read(document)
    job_steps.report(services, job, 2, 3, "publishing boards")
    published = recalculate_repository(services, repository, anew=job.anew)
    return {"boards": {p.head.window: p.head.generation for p in published}}


def recalculate_repository(
    services: Services, repository: Repository, *, anew: bool = False
) -> list[Published]:
    """Count, score, rank and publish a repository's boards from its contributions.

    What was counted by the same rules is taken as it is, unless it is to be counted ``anew``.
    Raises NotFound before its first scrape, and if it was removed meanwhile.
    """
    repo_id = repository.github_id
    if repo_id is None:
        raise NotFound(f"{repository.name} was not scraped yet.")
    rules = rule_sets.current(services)
    drafts = _consistent(
        services,
        lambda: (count(services, repo_id, rules, anew=anew),),
        lambda counted: drafts_of(
            services, repository_board(repo_id), repository.name, counted, rules, by_month=True
        ),
    )
    published = _publish(services, "repository", drafts)
    if _withdrawn(services, repo_id):
        raise NotFound(f"{repository.name} was removed meanwhile.")
    return published


def _withdrawn(services: Services, repo_id: int) -> bool:
    """Remove what was stored or published after a removal. False if it is still registered."""
    if repositories.is_known(services, repo_id):
        return False
    repositories.tidy(services, repo_id)
    return True


def count(services: Services, repo_id: int, rules: Versioned, *, anew: bool = False) -> Unit:
    """Bring a repository's standings up to its contributions and the rules.

    What the unit notes of itself: the facts' digest, as-of time, rules, and its coverage.
    """
    for _ in range(3):
        contributions = _unit(services, Dataset.CONTRIBUTIONS, repo_id)
        as_of = parse_time(str(contributions.about["as_of"]))
        number = contributions.about["number"]
        decided = authority.from_json(contributions.about.get("authority"))
        held = captured(services.warehouse.units(Dataset.EVENTS), int(str(number)))
        held = with_github(held, decided)
        about: dict[str, Json] = {
            "repo_id": repo_id,
            "number": number,
            "as_of": iso(as_of),
            "contributions": contributions.digest,
            "captured": fingerprint([iso(hour) for hour in sorted(held.hours)]),
            "authority": authority.as_json(decided),
            "agent_credit": contributions.about.get("agent_credit", "author"),
            "rules": rules.rules.digest,
            "method": method_digest(),
        }
        existing = find_unit(services, Dataset.STANDINGS, repo_id)
        if not anew and existing is not None and about.items() <= dict(existing.about).items():
            return existing
        windows = published_windows(as_of)
        digest = services.warehouse.query("digest_contributions", {"repo_id": repo_id})
        gaps = services.warehouse.query(
            "measure_gaps", {"repo_id": repo_id, "windows": windows_parameter(windows)}
        )
        about["facts"] = fingerprint(digest.to_pylist())
        about["coverage"] = {
            window.name: measure(window, held, gaps, decided).model_dump(mode="json")
            for window in windows
        }
        unit = services.warehouse.derive(
            "count_standings",
            {
                "repo_ids": [repo_id],
                "windows": windows_parameter(windows),
                "rule_set": rules.rules.parameter,
            },
            Dataset.STANDINGS,
            unit_name(repo_id),
            about,
        )
        # A scrape that came between has replaced what was digested: then once more.
        if _unit(services, Dataset.CONTRIBUTIONS, repo_id).digest == contributions.digest:
            return unit
    raise RetryLater(f"The contributions of repository {repo_id} keep changing.")


def request_repository(services: Services, repository: Repository, caller: Caller) -> Job:
    """Ask for a repository's boards to be made from its contributions."""
    job = jobs.new(
        services,
        caller,
        JobType.RECALCULATE_REPOSITORY,
        Stage.BOARDS,
        "high",
        repository=(repository.name, repository.key),
    )
    asked = audit.record(
        services,
        caller,
        "repository.recalculation_requested",
        ("repository", repository.name),
        f"Recalculation of {repository.name} requested",
        new={"job": job.id},
    )
    services.documents.write([jobs.stored(job), asked])
    jobs.dispatch(services, job)
    return job


# --- boards -----------------------------------------------------------------------------------


def _consistent(
    services: Services,
    gather: Callable[[], tuple[Unit, ...]],
    draft: Callable[[tuple[Unit, ...]], list[Draft]],
) -> list[Draft]:
    """Drafts from standings that nobody replaced meanwhile: a receipt names what was ranked.

    None without any standings. Raises RetryLater if they keep changing.
    """
    for _ in range(5):
        standings = gather()
        drafts = draft(standings) if standings else []
        now = {unit.name: unit.digest for unit in services.warehouse.units(Dataset.STANDINGS)}
        if all(now.get(unit.name) == unit.digest for unit in standings):
            return drafts
    raise RetryLater("The standings keep changing. Try again.")


def _publish(services: Services, scope: str, drafts: list[Draft]) -> list[Published]:
    published = [services.publisher.publish(draft) for draft in drafts]
    for each in published:
        outcome = "published" if each.changed else "unchanged"
        services.telemetry.measure(RECALCULATIONS, scope=scope, outcome=outcome)
    return published


def drafts_of(
    services: Services,
    board: str,
    name: str,
    standings: tuple[Unit, ...],
    rules: Versioned,
    only: str | None = None,
    *,
    by_month: bool = False,
) -> list[Draft]:
    """The drafts of a board over some repositories' standings, a window each (or ``only`` one).

    ``by_month``, for a single repository: with what they count a month.
    """
    repo_ids = sorted(int(str(unit.about["repo_id"])) for unit in standings)
    as_of = max(parse_time(str(unit.about["as_of"])) for unit in standings)
    facts = facts_digest(
        [
            (int(str(u.about["repo_id"])), str(u.about["facts"]), str(u.about["as_of"]))
            for u in standings
        ]
    )
    classifier = Classifier(rule_sets.class_overrides(services))
    known = people.current(services)
    accounts = services.warehouse.query("list_accounts", {"repo_ids": repo_ids})
    classes = _classes(accounts, classifier)
    sources = {
        str(unit.about["repo_id"]): texts_of(authority.from_json(unit.about.get("authority")).spans)
        for unit in standings
    }
    drafts: list[Draft] = []
    months = _months(services, standings[0], classes) if by_month else {}
    for window in published_windows(as_of):
        if only is not None and window.name != only:
            continue
        rows = services.warehouse.query(
            "rank_board", {"repo_ids": repo_ids, "window": window.name, "classes": classes}
        )
        start, end = window_text(window)
        inputs = Inputs(
            board=board,
            window=window.name,
            start=start,
            end=end,
            facts=facts,
            rules=rules.rules.digest,
            method=method_digest(),
            accounts=classifier.digest,
            agent_credit=credit_of(standings),
            people=known.digest(rows["contributor_id"].to_pylist()),
        )
        shown = known.shown(with_borne_names(rows, accounts))
        coverage = together([_coverage(unit, window) for unit in standings])
        drafts.append(
            Draft(
                name,
                shown,
                inputs,
                iso(as_of),
                rules.version,
                coverage.model_dump(mode="json"),
                sources=sources,
                people_changes=known.changes,
                months=months.get(window.name),
            )
        )
    return drafts


def _classes(accounts: pa.Table, classifier: Classifier) -> str:
    """Everybody who is not human, as rank_board.sql takes it."""
    others = classifier.others_among(accounts)
    return json.dumps(
        [{"id": id_, "class": found.account_class.value} for id_, found in sorted(others.items())]
    )


def _coverage(unit: Unit, window: Window) -> Coverage:
    stored = unit.about["coverage"]
    if not isinstance(stored, dict):
        raise TypeError(f"{unit.name} has no coverage")
    return Coverage.model_validate(stored[window.name])


def _months(services: Services, standings: Unit, classes: str) -> dict[str, Months]:
    """What a repository's boards count a month, by window.

    Raises RetryLater if a scrape has replaced the contributions that were counted.
    """
    repo_id = int(str(standings.about["repo_id"]))
    windows = published_windows(parse_time(str(standings.about["as_of"])))
    tallied = services.warehouse.query(
        "tally_months",
        {"repo_id": repo_id, "windows": windows_parameter(windows), "classes": classes},
    )
    if _unit(services, Dataset.CONTRIBUTIONS, repo_id).digest != standings.about["contributions"]:
        raise RetryLater(f"The contributions of repository {repo_id} keep changing.")
    found = months_by_window(tallied)
    return {window.name: found.get(window.name, {}) for window in windows}


# --- the global board -------------------------------------------------------------------------


def recalculate_global(services: Services, job: Job | None = None) -> dict[str, Json]:
    """Publish the global boards from the standings of all registered repositories."""
    made = global_requests.basis(services)
    rules = rule_sets.current(services)
    drafts = _consistent(
        services,
        lambda: _standings(services, rules, job),
        lambda found: drafts_of(services, GLOBAL, "all repositories", found, rules),
    )
    if not drafts:
        services.publisher.withdraw(GLOBAL)
    published = _publish(services, "global", drafts)
    global_requests.made_from(services, made)
    return {"boards": {p.head.window: p.head.generation for p in published}}


def _standings(services: Services, rules: Versioned, job: Job | None) -> tuple[Unit, ...]:
    """The standings of all registered repositories. What others left behind is removed."""
    # Read before the repositories, which know their id before they have any unit: a unit that is
    # nobody's then was left behind, and is not of somebody who came between.
    stored = {unit.name: unit for unit in services.warehouse.units(Dataset.STANDINGS)}
    credited = {unit.name: unit for unit in services.warehouse.units(Dataset.CONTRIBUTIONS)}
    scraped = {
        unit_name(r.github_id): r
        for r in repositories.everyone(services)
        if r.github_id is not None
    }
    for name, left in (credited | stored).items():
        if name not in scraped:
            repositories.tidy(services, int(str(left.about["repo_id"])))
    standings: list[Unit] = []
    for number, (name, repository) in enumerate(sorted(scraped.items())):
        unit = stored.get(name)
        if unit is None or unit.about["rules"] != rules.rules.digest:
            unit = _brought_up_to_date(services, repository)
        if unit is not None:
            standings.append(unit)
        if job is not None and number % 100 == 0:
            job_steps.report(services, job, number, len(scraped) + 1, "gathering standings")
    return tuple(standings)


def _brought_up_to_date(services: Services, repository: Repository) -> Unit | None:
    """The standings after a recalculation by the rules in force, None before the first scrape."""
    repo_id = repository.github_id
    if repo_id is None or find_unit(services, Dataset.CONTRIBUTIONS, repo_id) is None:
        return None
    try:
        recalculate_repository(services, repository)
    except NotFound:  # it was removed meanwhile
        return None
    return find_unit(services, Dataset.STANDINGS, repo_id)


def find_unit(services: Services, dataset: Dataset, repo_id: int) -> Unit | None:
    """A repository's unit, None where there is none."""
    return services.warehouse.unit(dataset, unit_name(repo_id))


def _unit(services: Services, dataset: Dataset, repo_id: int) -> Unit:
    unit = find_unit(services, dataset, repo_id)
    if unit is None:
        raise NotFound(f"Repository {repo_id} was not scraped yet.")
    return unit
