"""GitHub's published schemas, as far as the stand-in answers. See README.md."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema

FOLDER = Path(__file__).parent


@cache
def graphql_schema() -> GraphQLSchema:
    """The part of GraphQL's schema."""
    return build_schema((FOLDER / "schema.graphql").read_text(encoding="utf-8"))


@cache
def openapi() -> dict[str, Any]:
    """The part of REST's description: an OpenAPI 3 document."""
    found: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
    return found
