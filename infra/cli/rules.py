"""Rule sets from the command line: a JSON file, and points kind by kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from shared.errors import Rejected
from shared.models import Kind
from shared.scoring import RuleSet


def changed_rules(rules: RuleSet, file: Path | None, changes: Sequence[str]) -> RuleSet:
    """The rules of the file, else those given, with other points for some kinds.

    Raises Rejected or click.BadParameter naming what is wrong and what would be right.
    """
    base = rules if file is None else _read(file)
    if not changes:
        return base
    wanted: dict[str, Any] = base.model_dump()
    wanted["points"] = {**base.points, **dict(map(_change, changes))}
    try:
        return RuleSet.model_validate(wanted)
    except ValidationError as error:
        raise click.BadParameter(_problems(error), param_hint="'--set'") from error


def _change(text: str) -> tuple[Kind, Decimal]:
    kind, equals, value = text.partition("=")
    name = kind.strip().upper()
    if not equals or name not in Kind.__members__:
        raise click.BadParameter(
            f"{text[:60]!r}: write it as KIND=POINTS, such as COMMIT=5. "
            f"Kinds are {', '.join(Kind)}.",
            param_hint="'--set'",
        )
    try:
        return Kind(name), Decimal(value.strip())
    except InvalidOperation as error:
        raise click.BadParameter(
            f"{text[:60]!r}: {value.strip()[:30]!r} is no number of points.", param_hint="'--set'"
        ) from error


def _read(file: Path) -> RuleSet:
    try:
        return RuleSet.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Rejected(f"Cannot read the rules in {file}: {reason}.") from error
    except json.JSONDecodeError as error:
        raise Rejected(
            f"{file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except ValidationError as error:
        raise Rejected(f"The rules in {file} are wrong. {_problems(error)}") from error


def _problems(error: ValidationError) -> str:
    found = [
        f"{'.'.join(map(str, problem['loc'])) or 'rules'}: {problem['msg']}"
        for problem in error.errors()
    ]
    return "; ".join(found[:5]) + ("; ..." if len(found) > 5 else "")
