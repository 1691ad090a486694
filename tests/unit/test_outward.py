"""Calls of addresses outside: what may pass, and what is an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.outward import HttpOutward
from shared.errors import Rejected, RetryLater
from tests.support.receiver import Receiver, receiver


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def test_a_body_arrives_with_its_headers(there: Receiver) -> None:
    HttpOutward().post(f"{there.url}/in", b"body", {"X-Signed": "yes"})
    (call,) = there.calls("in")
    assert (call.body, call.headers["x-signed"]) == (b"body", "yes")


@pytest.mark.parametrize("status", [408, 429, 500, 503, 0])
def test_what_may_pass_is_to_be_tried_again(there: Receiver, status: int) -> None:
    there.answer("in", status)
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1"):
        HttpOutward().post(f"{there.url}/in", b"", {})


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_any_other_answer_is_final_and_redirects_are_not_followed(
    there: Receiver, status: int
) -> None:
    there.answer("in", status)
    with pytest.raises(Rejected):
        HttpOutward().post(f"{there.url}/in", b"", {})
    assert len(there.received) == 1


def test_nobody_there_and_no_answer_in_time_may_pass(there: Receiver) -> None:
    with there.holding(), pytest.raises(RetryLater, match="ReadTimeout"):
        HttpOutward(timeout=0.05).post(f"{there.url}/in", b"", {})
    there.die()
    with pytest.raises(RetryLater):
        HttpOutward().post(f"{there.url}/in?token=secret", b"", {})


@pytest.mark.parametrize("url", ["http://[::", "ftp://127.0.0.1/in"])
def test_an_address_that_cannot_be_called_says_so_without_being_shown(url: str) -> None:
    with pytest.raises((Rejected, RetryLater)) as caught:
        HttpOutward().post(url, b"", {})
    assert url not in caught.value.message
