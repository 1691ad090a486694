"""What Cloud Build takes for a build, as its documentation lists the fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jsonschema

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_SECONDS = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?s$"}

STEP: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "name": _TEXT,
        "entrypoint": _TEXT,
        "args": _TEXTS,
        "script": _TEXT,
        "env": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z_]+="}},
        "secretEnv": _TEXTS,
        "dir": _TEXT,
        "waitFor": _TEXTS,
        "timeout": _SECONDS,
        "allowFailure": {"type": "boolean"},
        "allowExitCodes": {"type": "array", "items": {"type": "integer"}},
        "automapSubstitutions": {"type": "boolean"},
        "volumes": {"type": "array"},
    },
}

BUILD: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["steps"],
    "properties": {
        "steps": {"type": "array", "items": STEP, "minItems": 1, "maxItems": 300},
        "timeout": _SECONDS,
        "queueTtl": _SECONDS,
        "logsBucket": _TEXT,
        "serviceAccount": _TEXT,
        "images": _TEXTS,
        "tags": _TEXTS,
        "artifacts": {"type": "object"},
        "availableSecrets": {"type": "object"},
        "substitutions": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^_[A-Z0-9_]+$": _TEXT},
        },
        "options": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "automapSubstitutions": {"type": "boolean"},
                "diskSizeGb": {"type": "integer"},
                "dynamicSubstitutions": {"type": "boolean"},
                "env": STEP["properties"]["env"],
                "logStreamingOption": _TEXT,
                "logging": {
                    "enum": ["GCS_ONLY", "CLOUD_LOGGING_ONLY", "LEGACY", "NONE"],
                },
                "machineType": _TEXT,
                "pool": {"type": "object"},
                "requestedVerifyOption": {"enum": ["NOT_VERIFIED", "VERIFIED"]},
                "secretEnv": _TEXTS,
                "sourceProvenanceHash": _TEXTS,
                "substitutionOption": {"enum": ["MUST_MATCH", "ALLOW_LOOSE"]},
                "volumes": {"type": "array"},
                "workerPool": _TEXT,
            },
        },
    },
}

BUILT_IN = frozenset(
    {
        "PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "TRIGGER_NAME", "COMMIT_SHA",
        "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME",
        "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH", "SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT",
    }
)  # fmt: skip

_USED = re.compile(r"(?<!\$)\$(?:\{(\w+)\}|([A-Z_][A-Z0-9_]*))")


def problems(build: Mapping[str, Any]) -> list[str]:
    """What Cloud Build would refuse, or leave undone without a word."""
    validator = jsonschema.Draft202012Validator(BUILD)
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(build)]
    if found:
        return found
    before: list[str] = []
    longest = _seconds(build.get("timeout", "3600s"))
    for step in build["steps"]:
        name = step.get("id", step["name"])
        found += [
            f"{name} waits for {other}, which is not before it"
            for other in step.get("waitFor", [])
            if other not in before and other != "-"
        ]
        if name in before:
            found.append(f"{name} is there twice")
        if _seconds(step.get("timeout", "0s")) > longest:
            found.append(f"{name} may take longer than the build")
        before.append(name)
    declared = build.get("substitutions", {})
    rest = {key: value for key, value in build.items() if key != "substitutions"}
    used = {first or second for first, second in _USED.findall(str(rest))}
    inner = {first or second for first, second in _USED.findall(str(declared))}
    found += [f"{name} is not declared" for name in used | inner if not _known(name, declared)]
    found += [f"{name} is declared and not used" for name in declared if name not in used | inner]
    return found


def _known(name: str, declared: Mapping[str, str]) -> bool:
    return name in declared or name in BUILT_IN


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))
