"""Profiles of contributors: ask that one is read."""

from __future__ import annotations

from functions.api.access import WRITE
from functions.api.enrichment_schemas import (
    EnrichmentAnswer,
    EnrichmentLinks,
    EnrichmentMeta,
    shown,
)
from functions.api.links import here, path_to
from functions.api.resource import Call, Reply, Resource
from shared import enrichment
from shared.boards import GLOBAL
from shared.errors import Conflict, NotFound, RetryLater

resource = Resource("enrichment")


@resource.operation(
    "POST",
    "/api/v1/contributors/<path:login>/enrich",
    status=202,
    scope=WRITE,
    errors=(NotFound, Conflict, RetryLater),
)
def enrich_contributor(call: Call, login: str) -> Reply[EnrichmentAnswer]:
    """Ask that somebody's public profile is read.

    While that is under way, everybody gets the same answer. Profiles are read one every six
    seconds; GET on the contributor shows what came of it.
    """
    found = call.services.boards.person(GLOBAL, "all", login=login)
    if not found.rows or found.rows[0].github_id < 0:  # nobody, or somebody who is not named
        raise NotFound(
            f"Nobody called {login[:100]!r} is on the global board.",
            details={"login": login[:100]},
        )
    row = found.rows[0]
    asked = enrichment.request(call.services, row.github_id, row.username, call.caller)
    address = path_to("contributors", row.username)
    return Reply(
        EnrichmentAnswer(
            data=shown(asked.enrichment),
            meta=EnrichmentMeta(created=asked.created),
            links=EnrichmentLinks(self_=here().self_, contributor=address),
        ),
        location=address,
    )
