"""The port to whatever else may be asked about somebody's profile. None is asked by default.

An adapter asks only what is published for programs to ask, and follows only what somebody names in
their own profile. Which adapters there are stands in ``infra/profile_lookups.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from shared.github import Profile

LookedUp = Literal["fediverse"]
"""Fields that an adapter may fill. ``fediverse``: user@host, as the host itself confirms it."""


class ProfileLookup(Protocol):
    """A source beside GitHub. ``name`` is what its fields are noted with."""

    @property
    def name(self) -> str: ...

    def look_up(self, profile: Profile) -> Mapping[LookedUp, str]:
        """What it knows of the profile, which comes without its e-mail address.

        Raises RetryLater and Rejected; either leaves the fields out.
        """
        ...
