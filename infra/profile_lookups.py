"""The adapters that the setting ``enrich_lookups`` may name. None asks a site that forbids it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.webfinger import WebFinger
from shared.lookups import ProfileLookup
from shared.settings import Settings

LOOKUPS: Mapping[str, Callable[[], ProfileLookup]] = {"webfinger": WebFinger}


def lookups(settings: Settings) -> tuple[ProfileLookup, ...]:
    """The adapters that are switched on, in the order of the setting."""
    return tuple(LOOKUPS[name]() for name in dict.fromkeys(settings.enrich_lookups))
