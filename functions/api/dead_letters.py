"""Dead letters: what failed for good and waits for somebody to settle it."""

from __future__ import annotations

import re

from functions.api.access import ADMIN
from functions.api.links import here, with_cursor
from functions.api.parameters import ListQuery
from functions.api.parsing import continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from functions.api.work_schemas import LetterAnswer, LettersAnswer, letter
from shared import dead_letters
from shared.errors import Conflict, NotFound, RetryLater

resource = Resource("dead_letters")

_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


@resource.operation("GET", "/api/v1/dead-letters", errors=(RetryLater,))
def list_dead_letters(call: Call, query: ListQuery) -> Reply[LettersAnswer]:
    """Letters that nobody has settled, newest first."""
    with continuing_at(query.cursor):
        page = dead_letters.open_letters(call.services, after=query.cursor, limit=query.limit)
    return Reply(
        LettersAnswer(
            data=[letter(dead_letters.read(document)) for document in page.documents],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(page.cursor),
        )
    )


@resource.operation("GET", "/api/v1/dead-letters/<letter_id>", errors=(NotFound, RetryLater))
def show_dead_letter(call: Call, letter_id: str) -> Reply[LetterAnswer]:
    """A letter, settled or open. A job's letter has the id of its job."""
    return _answer(call, _checked(letter_id))


@resource.operation(
    "POST",
    "/api/v1/dead-letters/<letter_id>/retry",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def retry_dead_letter(call: Call, letter_id: str) -> Reply[LetterAnswer]:
    """Have it done again: the job begins anew, or the message is handed over once more.

    A settled letter is left as it is.
    """
    dead_letters.retry(call.services, call.caller, _checked(letter_id))
    return _answer(call, letter_id)


@resource.operation(
    "POST",
    "/api/v1/dead-letters/<letter_id>/discard",
    scope=ADMIN,
    errors=(NotFound, RetryLater),
)
def discard_dead_letter(call: Call, letter_id: str) -> Reply[LetterAnswer]:
    """Settle a letter without doing anything about it. A repeat changes nothing."""
    dead_letters.discard(call.services, call.caller, _checked(letter_id))
    return _answer(call, letter_id)


def _answer(call: Call, letter_id: str) -> Reply[LetterAnswer]:
    found = dead_letters.get(call.services, letter_id)
    return Reply(LetterAnswer(data=letter(found), meta=Nothing(), links=here()))


def _checked(letter_id: str) -> str:
    if not _ID.fullmatch(letter_id):
        raise NotFound(
            f"There is no dead letter {letter_id[:60]!r}.",
            details={"dead_letter": letter_id[:60]},
        )
    return letter_id
