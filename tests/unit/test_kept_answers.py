"""Answers that are kept: for one source, so many of them, packed once."""

from __future__ import annotations

import gc
import weakref

from functions.api.kept_answers import KeptAnswers, Rendered


class Kitchen:
    """Makes answers and counts them."""

    def __init__(self, size: int = 1) -> None:
        self.made = 0
        self._size = size

    def __call__(self) -> Rendered:
        self.made += 1
        return Rendered(b"x" * self._size, f"tag-{self.made}", forever=False)


def test_an_answer_is_made_once_for_a_source_and_anew_for_the_next() -> None:
    answers, make = KeptAnswers(), Kitchen()
    first, second = [1], [1]
    assert {answers.answer("a", lambda: first, make).etag for _ in range(3)} == {"tag-1"}
    assert answers.answer("a", lambda: second, make).etag == "tag-2"
    assert answers.answer("b", lambda: second, make).etag == "tag-3"
    assert answers.answer("a", lambda: second, make).etag == "tag-2"


def test_the_one_that_was_not_asked_for_the_longest_goes_first() -> None:
    answers, make, source = KeptAnswers(most_items=2), Kitchen(), object()
    for key in "aba":
        answers.answer(key, lambda: source, make)
    answers.answer("c", lambda: source, make)
    assert make.made == 3
    assert answers.answer("a", lambda: source, make).etag == "tag-1"
    assert answers.answer("b", lambda: source, make).etag == "tag-4"


def test_what_is_kept_has_so_many_bytes() -> None:
    answers, make, source = KeptAnswers(most_bytes=10), Kitchen(size=4), object()
    for key in "abcba":
        answers.answer(key, lambda: source, make)
    assert make.made == 4
    big = Kitchen(size=50)
    assert len(answers.answer("big", lambda: source, big).body) == 50
    answers.answer("big", lambda: source, big)
    assert big.made == 1


def test_a_body_is_packed_once_in_each_encoding() -> None:
    packed: list[bytes] = []

    def pack(body: bytes) -> bytes:
        packed.append(body)
        return body[:1]

    answer = Rendered(b"body", "tag", forever=True)
    assert [answer.packed(encoding, pack) for encoding in ("br", "br", "gzip")] == [b"b"] * 3
    assert packed == [b"body"] * 2


def test_packed_forms_count_among_the_bytes() -> None:
    answers, make, source = KeptAnswers(most_bytes=10), Kitchen(size=4), object()
    first = answers.answer("a", lambda: source, make)
    answers.answer("b", lambda: source, make)
    answers.answer("b", lambda: source, make).packed("br", lambda body: body[:3])
    # Eleven bytes: the older one has gone.
    answers.answer("b", lambda: source, make)
    assert make.made == 2
    # What is gone counts no more, though somebody sends it still.
    first.packed("br", lambda body: body * 5)
    answers.answer("b", lambda: source, make)
    assert make.made == 2
    answers.answer("a", lambda: source, make)
    assert make.made == 3
    # Four and seven: the one with its packed form has gone, and its seven bytes with it.
    for key in "ac":
        answers.answer(key, lambda: source, make)
    assert make.made == 4
    answers.answer("a", lambda: source, make)
    assert make.made == 4


def test_what_is_dropped_leaves_the_memory_at_once() -> None:
    answers, source = KeptAnswers(most_items=1), object()
    dropped = weakref.ref(answers.answer("a", lambda: source, Kitchen()).grown)
    assert dropped() is not None
    gc.disable()
    try:
        answers.answer("b", lambda: source, Kitchen())
        assert dropped() is None
    finally:
        gc.enable()


def test_it_is_given_again_for_as_long_as_its_source_has_no_other() -> None:
    answers, make, boards = KeptAnswers(), Kitchen(), [object()]
    assert answers.again("a") is None
    made = answers.answer("a", lambda: boards[-1], make)
    assert answers.again("a") is made
    boards.append(object())
    assert answers.again("a") is None
    assert answers.answer("a", lambda: boards[-1], make) is answers.again("a")
    assert make.made == 2
