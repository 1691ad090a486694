"""Applications of the API for tests: as ``create_app`` makes them, without making each anew."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

from flask import Flask

from functions.api.app import create_app
from functions.api.resource import Surroundings
from functions.live_messages import Pace
from functions.live_routes import Live
from shared.context import Services


def app_over(services: Callable[[], Services]) -> Flask:
    """An application of its own over services.

    Its rules and templates are those of one that was made before: compiling them takes longer than
    most tests. What an application keeps between requests it has for itself.
    """
    made = copy.copy(_made_before())
    # Flask lets nobody add anything from here on: it would be added to all of them.
    made._got_first_request = True
    own = {"leaderboard": Surroundings(services), "live": Live(services, Pace())}
    made.extensions = {**made.extensions, **own}
    return made


@cache
def _made_before() -> Flask:
    def nobody() -> Services:
        raise AssertionError("the services of the pattern are not asked")

    pattern = create_app(nobody)
    # Made at first use, which has to be before the first copy for templates to be shared.
    assert pattern.jinja_env.loader
    return pattern
