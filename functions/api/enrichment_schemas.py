"""Profiles of contributors in answers. E-mail addresses are not among them, hashed or not."""

from __future__ import annotations

from functions.api.schemas import Envelope, Links, Shape, Time
from shared.enrichment import Enrichment, EnrichmentState

_HIDDEN = frozenset({"mail"})


class ProfileField(Shape):
    """What was noted, from where, and when."""

    value: str | int
    source: str
    noted_at: Time


class SocialAccount(Shape):
    """An account elsewhere that somebody names. ``provider`` is GitHub's word for it."""

    provider: str
    url: str
    source: str
    noted_at: Time


class ProfileError(Shape):
    """Why the last attempt failed, or what is waited for."""

    code: str
    message: str


class Profile(Shape):
    """What somebody tells of themselves. All of it is untrusted text.

    ``enriched_at`` is when it was read last, ``waits_until`` when the next attempt is made, where
    one is put off; ``note`` says why there is nothing.
    """

    state: EnrichmentState
    asked_at: Time
    enriched_at: Time | None
    waits_until: Time | None
    note: str | None
    error: ProfileError | None
    fields: dict[str, ProfileField]
    social: list[SocialAccount]


class EnrichmentMeta(Shape):
    """``created`` is false if an enrichment that is under way already serves this request, too."""

    created: bool


class EnrichmentLinks(Links):
    """Where to see what came of it."""

    contributor: str


class EnrichmentAnswer(Envelope[Profile, EnrichmentMeta, EnrichmentLinks]):
    """The enrichment that a request is served by."""


def shown(found: Enrichment) -> Profile:
    """An enrichment as it is shown."""
    return Profile(
        state=found.state,
        asked_at=found.asked_at,
        enriched_at=found.enriched_at,
        waits_until=found.waits_until,
        note=found.note,
        error=found.error and ProfileError(code=found.error.code, message=found.error.message),
        fields={
            name: ProfileField(value=noted.value, source=noted.source, noted_at=noted.at)
            for name, noted in found.fields.items()
            if name not in _HIDDEN
        },
        social=[
            SocialAccount(
                provider=link.provider, url=link.url, source=link.source, noted_at=link.at
            )
            for link in found.social
        ],
    )


def profile(found: Enrichment | None) -> Profile | None:
    """Likewise, null where none was ever asked for."""
    return None if found is None else shown(found)
