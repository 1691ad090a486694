"""Ask a deployed API the questions that have to be answered, and end with 1 if one is not.

``smoke.py --url=ADDRESS`` or ``--project=... --region=...``; needs nothing but Python. Nothing is
changed: anonymous reads only.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

TRIES = 5
"""A first answer may have to wait for an instance."""

Answer = tuple[int, bytes]


def healthy(answer: Answer) -> bool:
    status, body = answer
    return status == 200 and isinstance(json.loads(body), dict)


def described(answer: Answer) -> bool:
    return answer[0] == 200 and str(json.loads(answer[1])["openapi"]).startswith("3.1")


def page(answer: Answer) -> bool:
    return answer[0] == 200 and b"<html" in answer[1]


def refused(answer: Answer) -> bool:
    return answer[0] == 401


QUESTIONS: tuple[tuple[str, str, Callable[[Answer], bool]], ...] = (
    ("GET", "/api/v1/health/ready", healthy),
    ("GET", "/api/v1/openapi.json", described),
    ("GET", "/", page),
    # Nobody writes without a key.
    ("POST", "/api/v1/repositories", refused),
)


def ask(url: str, method: str, path: str) -> Answer:
    """The status and body, also of an error. Raises OSError where nobody answers."""
    data = b"{}" if method == "POST" else None
    request = urllib.request.Request(  # noqa: S310 - the address is the caller's own
        url.rstrip("/") + path, data=data, method=method,
        headers={"Content-Type": "application/json", "Accept": "*/*"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def passed(url: str, method: str, path: str, right: Callable[[Answer], bool], pause: float) -> bool:
    said = ""
    for attempt in range(TRIES):
        time.sleep(pause * attempt)
        try:
            answer = ask(url, method, path)
            if right(answer):
                sys.stdout.write(f"ok    {method} {path}\n")
                return True
            said = f"{answer[0]} {answer[1][:200]!r}"
        except (OSError, ValueError, KeyError) as error:
            said = repr(error)
    sys.stdout.write(f"WRONG {method} {path}: {said}\n")
    return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--project")
    parser.add_argument("--region")
    parser.add_argument("--pause", type=float, default=2.0)
    given = parser.parse_args(arguments)
    url = given.url or f"https://{given.region}-{given.project}.cloudfunctions.net/api"
    results = [passed(url, *question, pause=given.pause) for question in QUESTIONS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
