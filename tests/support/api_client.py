"""A client of the API that holds every answer against the API's own description."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

_DOCUMENT = "urn:api"


class ApiClient:
    """Calls an app. Every answer has a described status, the described body and a request id.

    ``key`` goes with every call. Addresses that are not described must answer 404 or 405.
    """

    def __init__(self, app: Flask, key: str | None = None) -> None:
        self._client: FlaskClient = app.test_client()
        self._key = key
        self.description: dict[str, Any] = self._client.get("/openapi.json").json or {}
        self._registry: Registry[Any] = Registry().with_resource(
            _DOCUMENT, Resource.from_contents(self.description, DRAFT202012)
        )

    @property
    def flask(self) -> FlaskClient:
        """The bare client, for addresses that are no part of the API."""
        return self._client

    def get(self, address: str, **options: Any) -> TestResponse:
        return self.call("GET", address, **options)

    def post(self, address: str, body: Any = None, **options: Any) -> TestResponse:
        if body is not None:
            options["json"] = body
        return self.call("POST", address, **options)

    def put(self, address: str, body: Any, **options: Any) -> TestResponse:
        return self.call("PUT", address, json=body, **options)

    def delete(self, address: str, **options: Any) -> TestResponse:
        return self.call("DELETE", address, **options)

    def data(self, address: str) -> Any:
        """The data of an answer that has to be fine."""
        answer = self.get(address)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["data"]

    def call(
        self, method: str, address: str, headers: dict[str, str] | None = None, **options: Any
    ) -> TestResponse:
        sent = {} if self._key is None else {"X-API-Key": self._key}
        answer = self._client.open(
            address, method=method, headers={**sent, **(headers or {})}, **options
        )
        self._check(method, answer)
        return answer

    def _check(self, method: str, answer: TestResponse) -> None:
        assert answer.headers["X-Request-ID"]
        path = answer.request.path
        paths: dict[str, Any] = self.description["paths"]
        fitting = [t for t in paths if method.lower() in paths[t] and _fits(t, path)]
        # The router, too, takes the one that says the most itself.
        fitting.sort(key=lambda template: len(re.sub(r"\{\w+\}", "", template)))
        described = paths[fitting[-1]][method.lower()] if fitting else None
        status = str(answer.status_code)
        if described is None:
            assert answer.status_code in (404, 405, 413, 429), f"{method} {path} is not described"
            self._validate(answer.get_json(), "ErrorBody")
            return
        assert status in described["responses"], f"{method} {path} answers {status}, undescribed"
        content = described["responses"][status].get("content")
        if content is None:
            return
        assert answer.mimetype in content, f"{method} {path} answers {answer.mimetype}, undescribed"
        reference = content[answer.mimetype]["schema"].get("$ref", "#/components/schemas/")
        if name := reference.rsplit("/", 1)[1]:
            self._validate(answer.get_json(), name)

    def _validate(self, body: object, name: str) -> None:
        schema = {"$ref": f"{_DOCUMENT}#/components/schemas/{name}"}
        Draft202012Validator(schema, registry=self._registry).validate(body)


def _fits(template: str, path: str) -> bool:
    # A login may hold a slash.
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(
        re.escape(part) if place % 2 == 0 else ".+" if part == "login" else "[^/]+"
        for place, part in enumerate(parts)
    )
    return re.fullmatch(pattern, path) is not None
