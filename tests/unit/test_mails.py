"""E-mail addresses are kept as keyed hashes only, always with the same key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from shared.mails import mail_digest, mail_secret
from tests.support.job_world import World


def test_addresses_that_differ_in_case_and_blanks_are_one() -> None:
    expected = hmac.new(b"key", b"ana@example.org", hashlib.sha256).hexdigest()
    assert mail_digest("key", " Ana@Example.ORG\n") == expected
    assert mail_digest("another", "ana@example.org") != expected


def test_the_secret_is_made_once_and_kept(world: World) -> None:
    made = mail_secret(world.services)
    assert len(made) == 64
    assert mail_secret(world.services) == made


def test_a_secret_that_is_set_wins_and_is_not_stored(world: World) -> None:
    settings = world.services.settings.model_copy(update={"mail_secret": "sixteen letters.."})
    services = replace(world.services, settings=settings)
    assert mail_secret(services) == "sixteen letters.."
    assert services.documents.get("state/mail_secret") == (None,)
