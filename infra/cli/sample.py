"""The events that come with the project: which files, which repositories, and putting them away."""

from __future__ import annotations

import re
from pathlib import Path

import infra.sample
from infra.archive_files import Source
from infra.cli.app import CALLER, App
from infra.sample.cast import ENDS, REPOSITORIES
from shared import repositories
from shared.models import RepositoryName
from shared.ports import Unit
from shared.tables import Dataset

_UNIT = re.compile(r"sample-\d{4}-\d{2}-[0-9a-f]{12}")


def sample_sources() -> list[Source]:
    """The shipped archive files."""
    folder = Path(infra.sample.__file__).parent
    return [Source(path.name, path=path) for path in sorted(folder.glob("sample-*.json.gz"))]


def sample_names() -> list[RepositoryName]:
    """The repositories that the sample is about, by their present names."""
    return [RepositoryName.parse(repository.name_at(ENDS)) for repository in REPOSITORIES]


def is_sample(unit: Unit) -> bool:
    """True if a unit of events was read from a sample file, of this version or an older one."""
    return _UNIT.fullmatch(unit.name) is not None


def put_away_sample(app: App) -> bool:
    """Remove the sample's events and repositories. False if they are not here."""
    units = [unit for unit in app.services.warehouse.units(Dataset.EVENTS) if is_sample(unit)]
    if not units:
        return False
    ids = {repository.id for repository in REPOSITORIES}
    for repository in repositories.everyone(app.services):
        if repository.github_id in ids:
            repositories.remove(app.services, repository.registered_as, CALLER)
    for unit in units:
        app.services.warehouse.remove(Dataset.EVENTS, unit.name)
    return True


def forget_older_samples(app: App, current: tuple[Unit, ...]) -> None:
    """Remove what earlier versions of the sample left behind."""
    names = {unit.name for unit in current}
    for unit in app.services.warehouse.units(Dataset.EVENTS):
        if is_sample(unit) and unit.name not in names:
            app.services.warehouse.remove(Dataset.EVENTS, unit.name)
