"""Settings from the environment: the variables of ``.env.example``, in capitals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from shared.errors import Rejected
from shared.settings import Settings


def process_environment(folder: Path) -> dict[str, str]:
    """The variables of this process, and those of ``.env`` in the folder that it does not set."""
    from_file = dotenv_values(folder / ".env")
    return {**{name: value or "" for name, value in from_file.items()}, **os.environ}


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings that are set; empty ones count as unset.

    Raises Rejected naming every variable that is wrong and why.
    """
    values = {
        name: environment[name.upper()]
        for name in Settings.model_fields
        if environment.get(name.upper())
    }
    parsed: dict[str, object] = dict(values)
    if "retry_seconds" in values:
        parsed["retry_seconds"] = [part.strip() for part in values["retry_seconds"].split(",")]
    try:
        return Settings.model_validate(parsed)
    except ValidationError as error:
        problems = [
            f"{str(problem['loc'][0]).upper()}={values.get(str(problem['loc'][0]), '')!r}: "
            f"{problem['msg']}"
            for problem in error.errors()
        ]
        raise Rejected("The settings are wrong. " + "; ".join(problems)) from error


def with_file(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """The environment over the ``NAME=value`` lines of a file such as ``.env``, if it is there.

    Empty variables count as unset. Raises Rejected naming the line that cannot be read.
    """
    values: dict[str, str] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(f"Cannot read the settings in {file}: {error}.") from error
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise Rejected(f"Line {number} of {file} is no setting. Write it as NAME=value.")
        values[name.strip()] = value.strip().strip("\"'")
    return values | {name: value for name, value in environment.items() if value}


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a process that is started with them."""
    dumped = settings.model_dump(mode="json", exclude_none=True)
    return {
        name.upper(): ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in dumped.items()
    }
