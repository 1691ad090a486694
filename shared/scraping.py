"""A scrape: what was captured of a repository becomes its contributions."""

from __future__ import annotations

from datetime import datetime

import structlog

from shared import job_steps, jobs, people, repositories
from shared.context import Services
from shared.coverage import captured
from shared.errors import NotFound, RetryLater
from shared.jobs import Job, RepositoryStatus, Stage, State
from shared.messages import SCRAPED
from shared.models import RepositoryName, iso
from shared.ports import Fields, Json, Transaction, Unit
from shared.repositories import Repository, unit_name
from shared.tables import Dataset

log = structlog.get_logger()


def scrape(services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
    """The step of stage SCRAPE. Raises NotFound if nothing captured is of that repository."""
    repository = begin(services, job)
    log.info("scrape_started")
    held = captured(services.warehouse.units(Dataset.EVENTS), repository.number)
    repo_id = repository.github_id or find(services, repository)
    if held.as_of is None or repo_id is None:
        raise NotFound(
            f"No event of {repository.name} was captured. Check the spelling, or ingest the hours "
            "in which something happened there.",
            details={"repository": repository.name},
        )
    if repository.github_id is None:
        _note(services, repository, {"github_id": repo_id})
    job_steps.report(services, job, 1, 3, "crediting contributions")
    unit = credit(services, repository, repo_id, held.as_of)
    name = services.warehouse.query("latest_repository_names", {"repo_ids": [repo_id]})
    _note(
        services,
        repository,
        {
            "name": str(name["repo_name"][0]),
            "last_scraped_at": iso(services.now()),
            "latest_data_at": iso(held.as_of),
        },
    )
    log.info("scrape_completed", rows=unit.rows)
    return Stage.BOARDS, {"repo_id": repo_id, "contributions": unit.rows, "as_of": iso(held.as_of)}


def credit(services: Services, repository: Repository, repo_id: int, as_of: datetime) -> Unit:
    """Make a repository's contributions of its events, by who counts as whom.

    Raises RetryLater if that keeps changing.
    """
    for _ in range(3):
        known = people.current(services)
        unit = services.warehouse.derive(
            "credit_contributions",
            {"repo_ids": [repo_id], "people": known.parameter},
            Dataset.CONTRIBUTIONS,
            unit_name(repo_id),
            {
                "repo_id": repo_id,
                "number": repository.number,
                "as_of": iso(as_of),
                "source": "archive",
            },
        )
        # Who was merged or removed meanwhile is credited as they were.
        if people.count(services.documents) == known.changes:
            return unit
    raise RetryLater("It keeps changing who counts as whom. Try again.")


def announce(services: Services, job: Job | None) -> None:
    """After the step: go on, or tell those who wait for the contributions."""
    if job is None or job.state is not State.RUNNING:
        return
    if job.stage is Stage.BOARDS:
        services.events.publish(SCRAPED, {"job_id": job.id}, {})
    else:
        jobs.dispatch(services, job)


def begin(services: Services, job: Job) -> Repository:
    """The job's repository, now SCRAPING. Raises NotFound if it was removed meanwhile.

    Registered anew it has another job, which sees to it.
    """
    if job.repository_key is None:
        raise NotFound("This job has no repository.")
    path = f"repositories/{job.repository_key}"

    def begin(transaction: Transaction) -> Repository:
        document = transaction.get(path)
        if document is None or document.fields["active_job"] != job.id:
            raise NotFound(f"{job.repository} is not registered any more.")
        repository = repositories.read(document)
        scraping = repository.model_copy(
            update={"status": RepositoryStatus.SCRAPING, "error_message": None}
        )
        transaction.write(repositories.stored(scraping))
        return scraping

    return services.documents.transact(begin)


def find(services: Services, repository: Repository) -> int | None:
    """The id behind the name: that of the repository which bore it last."""
    name = RepositoryName.parse(repository.name).full.lower()
    found = services.warehouse.query("find_repositories", {"names": [name]})
    return int(found["repo_id"][0].as_py()) if found.num_rows else None


def _note(services: Services, repository: Repository, update: Fields) -> None:
    def note(transaction: Transaction) -> None:
        document = transaction.get(f"repositories/{repository.key}")
        if document is None:
            raise NotFound(f"{repository.name} was removed meanwhile.")
        noted = repositories.read(document).model_copy(update=dict(update))
        transaction.write(repositories.stored(noted))

    services.documents.transact(note)
