"""Schemathesis over the API in process: what it finds, less what a description cannot say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.transport.wsgi import WSGITransport

BESIDE_OTHERS: Mapping[str, str] = {
    "cursor": "is one that an answer gave",
    "start": "comes with an end",
    "end": "comes after its start, by no more than a limit",
    "start_date": "is not after its end",
    "end_date": "is not before its start",
    "period": "excludes a range",
    "window": "excludes a range",
    "generation": "excludes a range",
    "generations": "are as many as the repositories",
    "weights": "are as many as the repositories",
    "repos": "are different ones",
    "filters": "belong to some types of exports, and fit each other",
    "format": "does not hold every export",
    "changes": "exclude whole rules",
    "rules": "name a kind in one cap, and steps in order",
    "flags": "have values of their own kinds",
    "scopes": "are among those of the role",
    "expires_at": "is in the future",
    "name": "is printable",
    "merge": "names two accounts",
    "body": "has fields of which one excludes another",
}
"""What no description says of a field: mostly how it goes with others. A refusal of what was made
from the description has to name one of these; of any other field the description has to say it."""

LOGIN_TAKES_ALL = ("/enrich", "/visibility")
"""After a login, which may hold a slash: somebody's page answers GET at these addresses as well."""

STAYS = ("/keys/{key_id}", "/keys/{key_id}/accounts")
"""What is revoked can be looked at all the same."""

_DIGITS = re.compile(
    rb"valid integer\. It is -?[0-9.e+]+\.0|no more than [0-9]+ (digits|decimal places)"
)
"""JSON Schema calls 262.0 an integer, and counts digits by multipleOf, which no float meets."""

_UNREAD = ("max_redirects", "verify", "cert", "proxies")


@dataclass
class Findings:
    """What a run found. ``answers`` counts requests by status."""

    operations: set[str] = field(default_factory=set)
    answers: dict[int, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n\n".join(f"{what}\n{why}" for what, why in self.failures.items())


def without_sockets(patch: pytest.MonkeyPatch) -> None:
    """Repeats of a request in process carry settings of sockets, which Werkzeug does not take."""
    send = WSGITransport.send

    def reduced(self: WSGITransport, case: Any, **options: Any) -> Any:
        return send(self, case, **{k: v for k, v in options.items() if k not in _UNREAD})

    patch.setattr(WSGITransport, "send", reduced)


def fuzzed(app: Flask, headers: Mapping[str, str], phases: Mapping[str, int]) -> Findings:
    """Run all checks. ``phases`` are those to run, and the most examples of an operation in each.

    The same every time.
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "continue-on-failure": True,
            "headers": {"Accept-Encoding": "identity", **headers},
            "generation": {"deterministic": True, "no-shrink": True, "database": "none"},
            "phases": {
                name: {"enabled": name in phases}
                | ({"generation": {"max-examples": phases[name]}} if phases.get(name) else {})
                for name in ("examples", "coverage", "fuzzing", "stateful")
            },
        }
    )
    document = app.test_client().get("/openapi.json").get_json()
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(found, event.recorder)
        elif isinstance(event, events.NonFatalError):
            found.failures[f"{event.label}: error"] = event.info.format()
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found


def _note(found: Findings, recorder: ScenarioRecorder) -> None:
    for id_, checks in recorder.checks.items():
        operation = recorder.cases[id_].value.operation.label
        found.operations.add(operation)
        interaction = recorder.interactions.get(id_)
        response = interaction.response if interaction else None
        if response is not None:
            found.answers[response.status_code] = found.answers.get(response.status_code, 0) + 1
        content = response.content if response is not None else None
        for check in checks:
            info = check.failure_info
            if info is None or _is_beyond_words(check.name, operation, content):
                continue
            found.failures.setdefault(
                f"{check.name} of {operation}",
                f"{info.failure.message}\n{info.code_sample[:1000]}\n{(content or b'')[:500]!r}",
            )


def _is_beyond_words(check: str, operation: str, content: bytes | None) -> bool:
    """True if a check failed for what OpenAPI has no words for."""
    if check == "allow_header_conformance":
        return operation.endswith(LOGIN_TAKES_ALL)
    if check == "use_after_free":
        return operation.endswith(STAYS)
    if check != "positive_data_acceptance" or content is None:
        return False
    blamed = json.loads(content).get("details", {}).get("field", "")
    return blamed.partition(".")[0] in BESIDE_OTHERS or _DIGITS.search(content) is not None
