"""The API's own description: OpenAPI for programs, a page for people."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import Response, current_app, render_template
from markupsafe import Markup

from functions.api.description import describe
from functions.api.resource import Operation, Resource, to_be_checked

resource = Resource("openapi")
resource.template_folder = "templates"


@resource.get("/openapi.json")
@resource.get("/api/v1/openapi.json")
def show_description() -> Response:
    """The OpenAPI document."""
    body = json.dumps(_document(), ensure_ascii=False)
    return to_be_checked(Response(body, mimetype="application/json"), None)


@resource.get("/docs")
def show_page() -> Response:
    """The same as a page, which loads nothing else."""
    style, digest = _style()
    page = render_template("api_docs.html", document=_document(), style=style)
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
    return to_be_checked(response, None)


def _document() -> Mapping[str, Any]:
    return _described(
        tuple(
            operation
            for blueprint in current_app.blueprints.values()
            if isinstance(blueprint, Resource)
            for operation in blueprint.operations
        )
    )


@cache
def _described(operations: tuple[Operation, ...]) -> Mapping[str, Any]:
    return describe(operations)


@cache
def _style() -> tuple[Markup, str]:
    """The page's style, and the hash by which browsers know that it is ours."""
    text = (Path(__file__).parent / "templates" / "api_docs.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), digest  # noqa: S704 - a file of ours
