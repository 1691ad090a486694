"""Settings from the environment: the variables of ``.env.example``, in capitals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_origin

from dotenv import dotenv_values
from pydantic import ValidationError

from shared.errors import Rejected
from shared.settings import Settings


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
    for name, field in Settings.model_fields.items():
        if name in values and get_origin(field.annotation) is tuple:
            parsed[name] = [part.strip() for part in values[name].split(",")]
    try:
        return Settings.model_validate(parsed)
    except ValidationError as error:
        problems = [
            f"{str(problem['loc'][0]).upper()}={_shown(str(problem['loc'][0]), values)}: "
            f"{problem['msg']}"
            for problem in error.errors()
        ]
        raise Rejected("The settings are wrong. " + "; ".join(problems)) from error


def _shown(name: str, values: Mapping[str, str]) -> str:
    """The value as messages may show it: secrets stay unsaid."""
    field = Settings.model_fields.get(name)
    return "(secret)" if field is not None and not field.repr else repr(values.get(name, ""))


def with_file(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """The environment over the ``NAME=value`` lines of a file such as ``.env``, if it is there.

    Empty variables count as unset. Raises Rejected if the file cannot be read, or names a line
    without a value.
    """
    try:
        from_file = dotenv_values(file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(f"Cannot read the settings in {file}: {error}.") from error
    for name, value in from_file.items():
        if value is None:
            raise Rejected(f"{name!r} in {file} has no value. Write it as NAME=value.")
    set_here = {name: value for name, value in environment.items() if value}
    return {name: value for name, value in from_file.items() if value} | set_here


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings that are set as environment variables, for a process that is started with them.

    Defaults are left out, so that in that process, too, what is stored may win over them.
    """
    dumped = settings.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    return {
        name.upper(): ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in dumped.items()
    }
