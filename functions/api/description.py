"""The API described as OpenAPI 3.1, from the same signatures that answer requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from functions.api.access import KEY_HEADER
from functions.api.parameters import NAME_PATTERN, OWNER_PATTERN
from functions.api.resource import Operation
from functions.api.schemas import ErrorBody
from functions.edge import BodyTooLarge, NotJson, status_of
from shared.errors import LeaderboardError, Rejected

Json = dict[str, Any]

_TEMPLATE = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"<(?:path:)?(\w+)>")
_KEY = "ApiKey"
_ERROR_BODY = _TEMPLATE.format(model="ErrorBody")
_UNEXPECTED = 500

_PATH_PARAMETERS: Mapping[str, tuple[str, str]] = {
    "owner": ("Whose repository it is, in any case", "pallets"),
    "name": ("The repository's name, in any case", "flask"),
    "account": ("A numeric account id on GitHub", "583231"),
    "login": ("A login on GitHub, in any case", "davidism"),
    "key_id": ("A key's id: what stands between the underscores of its text", "0123abcd"),
    "run_id": ("A pipeline run's id", "019a7f3c2b4d1e2f3a4b5c6"),
    "export_id": ("An export's id", "019a7f3c2b4d1e2f3a4b5c6"),
    "letter_id": ("A dead letter's id", "019a7f3c2b4d1e2f3a4b5c6"),
    "job_id": ("A job's id", "019a7f3c2b4d1e2f3a4b5c6"),
}

_PATTERNS: Mapping[str, str] = {
    "owner": f"^{OWNER_PATTERN}$",
    "name": f"^{NAME_PATTERN}$",
    "account": "^[0-9]{1,19}$",
    "key_id": "^[0-9a-f]{8}$",
}
"""Of path parameters; the other ids are texts that an answer gave."""

_REASONS: Mapping[int, str] = {
    400: "The input is wrong. The message names the field and the remedy.",
    401: "There is no valid key.",
    402: "It costs more than a whole limit of the budget.",
    403: "The key does not allow this.",
    404: "It does not exist, or not yet.",
    409: "The state does not allow this now.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests. Retry-After says when to ask again.",
    500: "Something went wrong here. The log has the details by request_id.",
    503: "A passing failure, or the budget is spent. Retry-After says when to try again.",
}

_HEADERS: Json = {
    "X-Request-ID": {
        "description": "The id of this request in the logs: the one sent, or a new one",
        "schema": {"type": "string"},
    },
    "X-RateLimit-Limit": {
        "description": "Requests that are allowed; absent for those that are not counted",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "When the oldest request counts no more, in seconds since 1970",
        "schema": {"type": "integer"},
    },
}
_READ_HEADERS: Json = {
    "ETag": {"description": "Send it as If-None-Match", "schema": {"type": "string"}},
    "Cache-Control": {
        "description": "no-cache; a minute for an address with a generation",
        "schema": {"type": "string"},
    },
}


def _error(status: int, reference: str) -> Json:
    return {
        "description": _REASONS[status],
        "headers": _HEADERS,
        "content": _json(reference),
    }


def _json(reference: str) -> Json:
    return {"application/json": {"schema": {"$ref": reference}}}


def _page(
    name: str, summary: str, media_type: str, schema: str, errors: tuple[int, ...] = ()
) -> Json:
    success = {
        "description": summary,
        "headers": {**_HEADERS, **_READ_HEADERS},
        "content": {media_type: {"schema": {"type": schema}}},
    }
    return {
        "get": {
            "operationId": name,
            "tags": ["openapi"],
            "summary": summary,
            "responses": {
                "200": success,
                "304": _UNCHANGED,
                **{
                    str(status): _error(status, _ERROR_BODY)
                    for status in sorted({400, 413, 429, *errors})
                },
            },
        }
    }


def _numbers() -> Json:
    page = _page(
        "show_metrics",
        "How the system stands, as Prometheus reads it. Open on one machine, else by key.",
        "text/plain",
        "string",
        (401, 403, _UNEXPECTED),
    )
    del page["get"]["responses"]["304"]
    page["get"] |= {"tags": ["system"], "security": [{}, {_KEY: []}]}
    return page


_FILE: Json = {"schema": {}}
_UNCHANGED: Json = {"description": "What If-None-Match names is still what there is."}
_ABOUT_ITSELF: Json = {
    "/openapi.json": _page("show_openapi", "This document.", "application/json", "object"),
    "/api/v1/openapi.json": _page(
        "show_openapi_of_version", "This document.", "application/json", "object"
    ),
    "/metrics": _numbers(),
    "/docs": _page("show_docs", "This document as a page.", "text/html", "string"),
}


def describe(operations: Iterable[Operation]) -> Json:
    """The OpenAPI document of some operations."""
    wanted = list(operations)
    references, components = _schemas(wanted)
    paths: dict[str, Json] = {}
    names: set[str] = set()
    for operation in wanted:
        path = _PARAMETER.sub(r"{\1}", operation.rule)
        described = _operation(operation, references, components)
        if operation.name in names:
            described["operationId"] = f"{operation.name}_{len(names)}"
        names.add(described["operationId"])
        paths.setdefault(path, {})[operation.method.lower()] = described
    queries = {references[o.query, "validation"].rsplit("/", 1)[1] for o in wanted if o.query}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Contributor leaderboard",
            "version": "1",
            "description": "Boards of contributors to GitHub repositories. Every score explains "
            "itself, and every number says how complete it is.",
        },
        "paths": dict(sorted((paths | _ABOUT_ITSELF).items())),
        "components": {
            "schemas": {name: c for name, c in components.items() if name not in queries},
            "securitySchemes": {
                _KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER},
            },
        },
    }


class _Schemas(GenerateJsonSchema):
    """Decimals leave and arrive as numbers."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> Json:
        limits = {"ge": "minimum", "le": "maximum"}
        found: Json = {"type": "number"}
        for key, name in limits.items():
            if (limit := schema.get(key)) is not None:
                found[name] = float(limit)  # type: ignore[arg-type]
        return found

    def encode_default(self, dft: Any) -> Any:
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


_References = Mapping[tuple[type[BaseModel], JsonSchemaMode], str]


def _schemas(operations: list[Operation]) -> tuple[_References, Json]:
    """Where each model is described, and the descriptions."""
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (ErrorBody, "serialization"): None
    }
    for operation in operations:
        models[operation.answer, "serialization"] = None
        for model in (operation.query, operation.body):
            if model is not None:
                models[model, "validation"] = None
    found, definitions = models_json_schema(
        list(models), ref_template=_TEMPLATE, schema_generator=_Schemas
    )
    references = {key: found[key]["$ref"] for key in models}
    return references, definitions["$defs"]


def _operation(operation: Operation, references: _References, components: Json) -> Json:
    described: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation),
            *_query(operation, references, components),
            *_headers(operation),
        ],
        "responses": _responses(operation, references),
    }
    if operation.deprecated is not None:
        described["deprecated"] = True
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": _json(references[operation.body, "validation"]),
        }
    if operation.scope is not None:
        described["security"] = [{_KEY: []}]
        described["description"] = (
            f"{operation.description} Needs a key with the scope {operation.scope}.".strip()
        )
    elif operation.key_elsewhere:
        described["security"] = [{}, {_KEY: []}]
    return described


def _path_parameters(operation: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name][0],
            "schema": _path_schema(name),
            "example": _PATH_PARAMETERS[name][1],
        }
        for name in _PARAMETER.findall(operation.rule)
    ]


def _path_schema(name: str) -> Json:
    pattern = _PATTERNS.get(name)
    return {"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}


def _headers(operation: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
        }
        for name, description in operation.headers
    ]


def _query(operation: Operation, references: _References, components: Json) -> list[Json]:
    if operation.query is None:
        return []
    model = components[references[operation.query, "validation"].rsplit("/", 1)[1]]
    parameters: list[Json] = []
    for name, schema in model["properties"].items():
        rest = {key: value for key, value in schema.items() if key not in ("title", "description")}
        # Null is how the model says that it was left out, which an address cannot say.
        choices = [choice for choice in rest.pop("anyOf", []) if choice != {"type": "null"}]
        if rest.get("default", ...) is None:
            del rest["default"]
        required = name in model.get("required", ())
        parameter: Json = {"name": name, "in": "query", "required": required}
        if not required:
            parameter["allowEmptyValue"] = True  # which is as good as left out
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameters.append({**parameter, "schema": {**rest, **(choices[0] if choices else {})}})
    return parameters


def _responses(operation: Operation, references: _References) -> Json:
    reading = operation.method == "GET"
    success = {
        "description": operation.summary,
        "headers": {**_HEADERS, **(_READ_HEADERS if reading else {})},
        "content": _json(references[operation.answer, "serialization"]),
    }
    responses: Json = {str(operation.status): success}
    if operation.status == 201:
        responses["200"] = {**success, "description": "It was there already."}
    if operation.files:
        files = {media_type.partition(";")[0]: _FILE for media_type in operation.files}
        before = responses.get("200")
        if before is None:
            responses["200"] = {**success, "description": "The file itself.", "content": files}
        else:
            responses["200"] = {**before, "content": {**before["content"], **files}}
    if reading:
        responses["304"] = _UNCHANGED
    if operation.forwards:
        responses["308"] = {**success, "description": "It has another address now: Location."}
    for status in sorted({*map(status_of, _errors(operation)), _UNEXPECTED}):
        responses[str(status)] = _error(status, references[ErrorBody, "serialization"])
    return responses


def _errors(operation: Operation) -> set[type[LeaderboardError]]:
    """Those an operation names, and those any request can make."""
    errors = {*operation.errors, Rejected, BodyTooLarge}
    return errors | {NotJson} if operation.body is not None else errors
