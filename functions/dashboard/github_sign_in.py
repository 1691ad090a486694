"""Signing in with GitHub: there with a state, back with a code, and a session of the key behind."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from itsdangerous import BadSignature
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import anonymous
from functions.dashboard import sessions
from functions.dashboard.visit import context, services
from shared import sign_in
from shared.calls import SignIn, Signing
from shared.context import Services
from shared.errors import NotFound, Unauthenticated
from shared.models import iso

COOKIE = "leaderboard_sign_in"
LASTS_SECONDS = 600


def add_to(blueprint: Blueprint) -> None:
    """Add the addresses of this file."""
    blueprint.add_url_rule("/sign-in/github", "sign_in_with_github", begin)
    blueprint.add_url_rule("/sign-in/github/back", "back_from_github", end)


def begin() -> AnyResponse:
    """Send the browser to GitHub."""
    found = services()
    flow = _flow(found)
    signing = Signing(secrets.token_urlsafe(24), secrets.token_urlsafe(48))
    answer = redirect(flow.address(signing), 303)
    kept = {
        "state": signing.state,
        "verifier": signing.verifier,
        "back": sessions.page_here(request.args.get("back", "")),
        "until": iso(found.now() + timedelta(seconds=LASTS_SECONDS)),
    }
    # Lax: the way back from GitHub is a navigation from elsewhere, which Strict would come without.
    answer.set_cookie(
        COOKIE,
        sessions.signed(found, kept),
        max_age=LASTS_SECONDS,
        path=url_for("actions.sign_in_with_github"),
        secure=sessions.is_secure(found),
        httponly=True,
        samesite="Lax",
    )
    return answer


def end() -> AnyResponse:
    """Begin the session of the key that the account stands for."""
    found = services()
    flow = _flow(found)
    try:
        kept = _kept(found)
        signing = Signing(kept["state"], kept["verifier"])
        account = flow.account(request.args.get("code", "")[:200], signing)
        caller = anonymous(request, g.request_id, found.settings)
        key, fingerprint = sign_in.admitted(found, account, caller)
    except Unauthenticated as error:
        page = render_template(
            "sign_in.html", **context(), back="", problem=error.message, with_github=True
        )
        return make_response(page, 401)
    # A page, not a redirect: the session's cookie is Strict, and goes with what comes from here.
    answer = make_response(render_template("signed_in.html", **context(), back=kept["back"]))
    sessions.open_for(found, key, fingerprint, answer, account=account)
    answer.delete_cookie(COOKIE, path=url_for("actions.sign_in_with_github"))
    return answer


def _flow(found: Services) -> SignIn:
    if found.sign_in is None:
        raise NotFound("Signing in with GitHub is not set up here.")
    return found.sign_in


def _kept(found: Services) -> dict[str, str]:
    """What the browser kept since it was sent away. Raises Unauthenticated."""
    again = Unauthenticated("This way back from GitHub was not begun here, or took too long.")
    try:
        kept = sessions.read_signed(found, request.cookies.get(COOKIE, ""))
    except BadSignature as error:
        raise again from error
    state = request.args.get("state", "")
    if not hmac.compare_digest(state.encode(), kept.get("state", "").encode()):
        raise again
    if kept["until"] <= iso(found.now()):
        raise again
    return kept
