"""What a request says, checked: the query and the body as models, or what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from functions.edge import BodyTooLarge, NotJson
from shared.errors import Rejected

Model = TypeVar("Model", bound=BaseModel)

MOST_BODY_BYTES = 1 << 20
_MOST_PROBLEMS = 10


def check_length(request: Request) -> None:
    """Raises BodyTooLarge, whether or not anybody wants to read the body."""
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise BodyTooLarge(
            f"The body has more than {MOST_BODY_BYTES:,} bytes. Send less.",
            details={"most_bytes": MOST_BODY_BYTES},
        )


def query_of(model: type[Model] | None, arguments: MultiDict[str, str]) -> Model | None:
    """The parameters of an address. Empty ones count as left out.

    Raises Rejected for unknown, repeated and wrong ones, naming the parameter and the remedy.
    """
    known = _names(model)
    given: dict[str, str] = {}
    for name, values in arguments.lists():
        if name not in known:
            raise Rejected(
                f"{name[:60]!r} is no parameter of this address. "
                + (f"There are: {', '.join(known)}." if known else "It takes none."),
                details={"field": name[:60], "allowed": list(known)},
            )
        if len(values) > 1:
            raise Rejected(
                f"{name} is given {len(values)} times. Give it once.", details={"field": name}
            )
        if values[0]:
            given[name] = values[0]
    if model is None:
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise rejected(error) from error


def body_of(model: type[Model], request: Request) -> Model:
    """The JSON body, where true is no number and 1 is not true.

    Raises Rejected naming the field and the remedy, NotJson for another type.
    """
    raw = request.get_data()
    if not raw:
        fields = ", ".join(_names(model))
        raise Rejected(
            f"The body is missing. Send a JSON object with: {fields}.", details={"field": "body"}
        )
    if not request.is_json:
        raise NotJson("Send the body as JSON, with Content-Type: application/json.")
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise rejected(error) from error


@contextmanager
def continuing_at(cursor: str | None) -> Iterator[None]:
    """Around a query that goes on at a cursor: what it rejects is the cursor."""
    try:
        yield
    except Rejected as error:
        if cursor is None:
            raise
        raise Rejected(
            f"cursor: {error.message} Take it from the link next of the answer before, or leave "
            "it out.",
            details={"field": "cursor"},
        ) from error


@cache
def _names(model: type[BaseModel] | None) -> tuple[str, ...]:
    fields: Mapping[str, object] = {} if model is None else model.model_json_schema()["properties"]
    return tuple(fields)


def account_id(text: str) -> int:
    """The id of an account on GitHub in a path. Raises Rejected."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Rejected("An account's id is a number.", details={"field": "account"})
    return int(text)


def rejected(error: ValidationError, within: str = "") -> Rejected:
    """Pydantic's findings as ours: the first in the message, all in the details.

    ``within`` is the field that the model stood in.
    """
    found = error.errors(include_url=False)
    problems = [
        {"field": _field(problem, within), "problem": _sentence(problem)}
        for problem in found[:_MOST_PROBLEMS]
    ]
    first, field = found[0], problems[0]["field"]
    details: dict[str, object] = {"field": field, "problems": problems}
    if allowed := first.get("ctx", {}).get("allowed"):
        details["allowed"] = allowed
    if len(found) > _MOST_PROBLEMS:
        details["more_problems"] = len(found) - _MOST_PROBLEMS
    return Rejected(f"{field}: {problems[0]['problem']}", details=details)


def _field(problem: ErrorDetails, within: str) -> str:
    parts = [str(part)[:60] for part in problem["loc"] if part != "[key]"]
    return ".".join([within, *parts] if within else parts) or "body"


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong and what would be right."""
    match problem["type"]:
        case "missing":
            return "This is missing. Add it."
        case "extra_forbidden":
            return "There is no such field. Leave it out."
        case "json_invalid":
            return f"This is not JSON: {problem['ctx']['error']}."
        case "model_type" | "model_attributes_type":
            return "Send a JSON object."
    message = problem["msg"].removeprefix("Value error, ").rstrip(".") + "."
    value = problem["input"]
    if isinstance(value, str | int | float | bool) and problem["loc"]:
        shown = json.dumps(value) if not isinstance(value, str) else repr(value[:60])
        return f"{message} It is {shown[:80]}."
    return message
