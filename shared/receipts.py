"""What a board was made from, and the proof: hash of inputs, hash of the board."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from shared.canonical import fingerprint
from shared.models import Window, iso

NOBODY = fingerprint({"merges": [], "removed": []})
"""Digest of identity merges and opt-outs where there are none."""


class Inputs(BaseModel):
    """Everything that decides a board. Equal inputs give an equal board.

    ``facts`` is the digest of the contributions, ``rules`` of the rule set, ``method`` of the
    statements, ``accounts`` of the classification, ``people`` of identity merges and opt-outs;
    ``agent_credit`` says who is credited for the work of agents.
    """

    model_config = ConfigDict(frozen=True)

    board: str
    window: str
    start: str | None
    end: str
    facts: str
    rules: str
    method: str
    accounts: str
    people: str = NOBODY
    agent_credit: str = "author"

    @property
    def generation(self) -> str:
        """The generation's id: 24 hex digits of the hash of the inputs."""
        return fingerprint(self.model_dump())[:24]


class Receipt(BaseModel):
    """Inputs and the hash of the board they gave: id, class, counts, score and rank of each row.

    Names, avatars and movement are not part of it.
    """

    model_config = ConfigDict(frozen=True)

    inputs: Inputs
    board: str
    rows: int


def facts_digest(repositories: Sequence[tuple[int, str, str]]) -> str:
    """Digest of the facts of several repositories: (id, digest of contributions, as-of time)."""
    return fingerprint([list(entry) for entry in sorted(repositories)])


def window_text(window: Window) -> tuple[str | None, str]:
    """A window's borders as they stand in receipts."""
    return (None if window.start is None else iso(window.start), iso(window.end))
