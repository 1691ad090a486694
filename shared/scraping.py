"""A scrape: what was captured of a repository becomes its contributions."""

from __future__ import annotations

import structlog

from shared import crediting, job_steps, jobs, repositories
from shared.context import Services
from shared.errors import NotFound
from shared.jobs import Job, RepositoryStatus, Stage, State
from shared.messages import SCRAPED
from shared.metrics import CONTRIBUTIONS
from shared.models import RepositoryName, iso
from shared.ports import Fields, Json, Transaction
from shared.repositories import Repository
from shared.repository_records import renamed

log = structlog.get_logger()


def scrape(services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
    """The step of stage SCRAPE. Raises NotFound if nothing captured is of that repository."""
    repository = begin(services, job)
    log.info("scrape_started")
    repo_id = repository.github_id or find(services, repository)
    held, found = crediting.held_of(services, repo_id, repository.number)
    if held.as_of is None or repo_id is None:
        raise NotFound(
            f"No event of {repository.name} was captured. Check the spelling, or ingest the hours "
            "in which something happened there.",
            details={"repository": repository.name},
        )
    if repository.github_id is None:
        _note(services, repository, {"github_id": repo_id})
    job_steps.report(services, job, 1, 3, "crediting contributions")
    unit = crediting.credit(services, repo_id, repository.number, held, found)
    name = services.warehouse.query("latest_repository_names", {"repo_ids": [repo_id]})
    _note(
        services,
        repository,
        {"last_scraped_at": iso(services.now()), "latest_data_at": iso(held.as_of)},
        # Where GitHub is asked, it has told the latest name.
        called=str(name["repo_name"][0]) if name.num_rows and not repository.node_id else None,
    )
    services.telemetry.measure(CONTRIBUTIONS, unit.rows)
    log.info("scrape_completed", rows=unit.rows)
    return Stage.BOARDS, {"repo_id": repo_id, "contributions": unit.rows, "as_of": iso(held.as_of)}


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


def _note(
    services: Services, repository: Repository, update: Fields, *, called: str | None = None
) -> None:
    def note(transaction: Transaction) -> None:
        document = transaction.get(f"repositories/{repository.key}")
        if document is None:
            raise NotFound(f"{repository.name} was removed meanwhile.")
        noted = repositories.read(document).model_copy(update=dict(update))
        noted, naming = renamed(noted, called or noted.name)
        for write in (*naming, repositories.stored(noted)):
            transaction.write(write)

    services.documents.transact(note)
