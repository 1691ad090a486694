"""Forms of the settings that admins send: keys, flags and rules."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import ADMIN
from functions.api.key_schemas import NewKey, RotationQuery
from functions.api.parsing import rejected
from functions.dashboard import flag_forms, sessions, visit
from shared import flag_config, keys, rule_sets
from shared.auth import Role
from shared.errors import Rejected
from shared.scoring import RuleSet

SEE_OTHER = 303


def add_to(blueprint: Blueprint) -> None:
    """Add the addresses of this file."""
    add, only = blueprint.add_url_rule, ["POST"]
    add("/settings/keys", "create_key", create_key, methods=only)
    add("/settings/keys/<key_id>/rotate", "rotate_key", rotate_key, methods=only)
    add("/settings/keys/<key_id>/revoke", "revoke_key", revoke_key, methods=only)
    add("/settings/flags", "set_flags", set_flags, methods=only)
    add("/settings/rules", "publish_rules", publish_rules, methods=only)


def create_key() -> AnyResponse:
    """Make a key. Its text is the answer, and is on no other page."""
    services = visit.services()
    session = sessions.confirmed(services, ADMIN)
    given = {name: request.form.get(name, "") for name in ("name", "role", "expires_at")}
    try:
        wanted = NewKey.model_validate({name: text for name, text in given.items() if text.strip()})
    except ValidationError as error:
        raise rejected(error) from error
    made = keys.create(
        services, session.caller, wanted.name, Role(wanted.role), None, wanted.expires_at
    )
    return _shown(made, "A key was made")


def rotate_key(key_id: str) -> AnyResponse:
    """Give a key another text, which is the answer."""
    services = visit.services()
    session = sessions.confirmed(services, ADMIN)
    try:
        wanted = RotationQuery.model_validate(
            {"grace_minutes": request.form.get("grace_minutes", "0")}
        )
    except ValidationError as error:
        raise rejected(error) from error
    grace = timedelta(minutes=wanted.grace_minutes)
    return _shown(keys.rotate(services, session.caller, key_id, grace), "The key has a new text")


def revoke_key(key_id: str) -> AnyResponse:
    """End a key for good."""
    services = visit.services()
    session = sessions.confirmed(services, ADMIN)
    keys.revoke(services, session.caller, key_id)
    return _done("revoked")


def set_flags() -> AnyResponse:
    """Store what the form says of all flags in place of what it showed."""
    services = visit.services()
    session = sessions.confirmed(services, ADMIN)
    seen = seen_version()
    flag_config.change(services, session.caller, flag_forms.rules(request.form), seen=seen)
    return _done("flags")


def publish_rules() -> AnyResponse:
    """Put the rules in force that the page of what-if has tried."""
    services = visit.services()
    session = sessions.confirmed(services, ADMIN)
    seen = seen_version()
    try:
        wanted = RuleSet.model_validate_json(request.form.get("rules", ""))
    except ValidationError as error:
        raise rejected(error, within="rules") from error
    rule_sets.change(services, session.caller, wanted, seen=seen)
    return _done("rules")


def seen_version() -> int:
    """The version that the form was made from. Raises Rejected."""
    seen = request.form.get("version", "")
    if not (seen.isascii() and seen.isdecimal()):
        raise Rejected("The form is not complete. Load its page again.")
    return int(seen[:9])


def _shown(made: keys.Made, heading: str) -> Response:
    page = render_template("key_shown.html", **visit.context(), made=made, heading=heading)
    answer = make_response(page)
    # Neither a browser's memory nor a proxy's keeps the text.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _done(word: str) -> AnyResponse:
    return redirect(url_for("operations.settings", done=word), SEE_OTHER)
