"""What the views share: the services of their app, who is signed in, what was just done."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from functions.dashboard import sessions
from shared.context import Services

DONE = {
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
    "registered": "The repository is registered; its first scrape is on the way.",
    "cancelled": "The job is cancelled.",
    "paused": "The repository is paused: its boards stay, and nothing is scraped.",
    "resumed": "The repository goes on: it is scraped at its set times and on request.",
    "retried": "It is on its way again.",
    "discarded": "The dead letter is settled.",
    "started": "A pipeline run is on the way.",
    "rules": "The rules are in force; the boards follow.",
    "revoked": "The key is revoked.",
    "flags": "The flags are set; every instance knows within half a minute.",
    "budget": "The limits are set, from the next reservation on.",
}
"""What a page says after a form was carried out, by the word in its address."""


def services() -> Services:
    """Those of the app that answers."""
    found: Services = current_app.extensions["leaderboard"].services()
    return found


def context() -> dict[str, Any]:
    """The variables of every page with a session: ``visitor`` is None for who is not signed in."""
    found = services()
    return {
        "visitor": sessions.current(found),
        "done": DONE.get(request.args.get("done", "")),
        "now": found.now(),
    }
