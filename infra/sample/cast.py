"""Who and what the sample is about. Everybody and everything here is invented.

Ids lie above 900,000,000, clear of real accounts' ids. Logins of well-known bots and agents are
real, so that they are told apart as in life; their ids are invented as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

BEGINS = datetime(2024, 12, 1, tzinfo=UTC)
ENDS = datetime(2026, 2, 1, tzinfo=UTC)
HOLE = datetime(2025, 10, 11, tzinfo=UTC).date()
"""A day of which nothing was captured."""
TRIMMED = datetime(2025, 10, 7, tzinfo=UTC)
"""From here on payloads are stubs."""
MERGED_ACTION = datetime(2025, 12, 1, tzinfo=UTC)
"""From here on a merge says so; between TRIMMED and this it looks like a close."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who acts. ``weight`` is how often, ``offset`` the hours that local time is ahead.

    ``active`` are the spans of days (from BEGINS) in which they act. ``later`` is the login after
    a renaming, and the day of it.
    """

    id: int
    login: str
    type: str = "User"
    weight: int = 1
    offset: int = 0
    active: tuple[tuple[int, int], ...] = ((0, 999),)
    homes: tuple[int, ...] = (0, 1, 2, 3, 4)
    later: tuple[str, int] | None = None

    def login_at(self, moment: datetime) -> str:
        """The login that the account had then."""
        if self.later and (moment - BEGINS).days >= self.later[1]:
            return self.later[0]
        return self.login

    def is_active(self, day: int) -> bool:
        return any(first <= day < last for first, last in self.active)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository. ``share`` is its part of the activity, ``later`` its name after a renaming."""

    id: int
    owner: str
    owner_id: int
    name: str
    share: int
    topics: tuple[str, ...]
    later: tuple[str, int] | None = None

    def name_at(self, moment: datetime) -> str:
        """``owner/name`` as it was then."""
        renamed = self.later and (moment - BEGINS).days >= self.later[1]
        return f"{self.owner}/{self.later[0] if renamed and self.later else self.name}"


REPOSITORIES = (
    Repository(
        910_000_001,
        "harborline",
        900_000_001,
        "tidewater",
        10,
        ("scheduler", "backfill", "checkpoints", "sinks", "metrics", "retries"),
    ),
    Repository(
        910_000_002,
        "harborline",
        900_000_001,
        "tidewater-docs",
        3,
        ("tutorial", "glossary", "install page", "examples", "search box"),
        ("handbook", 196),
    ),
    Repository(
        910_000_003,
        "mosswork",
        900_000_002,
        "fernlight",
        7,
        ("theming", "layout engine", "focus ring", "date picker", "dark mode"),
    ),
    Repository(
        910_000_004,
        "mosswork",
        900_000_002,
        "lichen-cli",
        4,
        ("argument parser", "completion", "config file", "exit codes", "colours"),
    ),
    Repository(
        910_000_005,
        "quietgears",
        900_000_003,
        "ledgerfly",
        3,
        ("rounding", "import wizard", "exchange rates", "reports", "undo"),
    ),
)


def _logins(text: str) -> list[str]:
    return text.split()


_HEAVY = (
    Account(900_000_101, "odabrightwell", weight=60, offset=1, homes=(0, 1)),
    Account(900_000_102, "tovenhart", weight=45, offset=-5, homes=(0, 3)),
    Account(900_000_103, "kiraquillmoor", weight=42, offset=9, homes=(2, 3)),
    # Pauses for three months and returns.
    Account(
        900_000_104,
        "fennick-dray",
        weight=38,
        offset=0,
        homes=(0, 2),
        active=((0, 150), (245, 999)),
    ),
    Account(900_000_105, "suviraelm", weight=30, offset=5, homes=(2, 4)),
    Account(
        900_000_106,
        "brisk-otterby",
        weight=26,
        offset=-8,
        homes=(0, 1, 4),
        later=("ottoline-brisk", 164),
    ),
    Account(900_000_107, "jorunnvale", weight=22, offset=1, homes=(1, 3)),
    Account(900_000_108, "pasquill7", weight=18, offset=-3, homes=(2, 4)),
)

_REGULARS = [
    "abelwick",
    "amarthorne",
    "bexhollow",
    "calderwynn",
    "corvaneyre",
    "danellow-k",
    "drummelgate",
    "elowenstrand",
    "estherquay",
    "farrowmint",
    "gildaspool",
    "hazelcombe-j",
    "ilsebracken",
    "iverstoke",
    "joscelinray",
    "kestrelbane-o",
]

_NEWCOMERS = ["lunetteforge", "maddoxfell", "nerysdown", "oriolcrake", "pellwarden", "quennastead"]

_TAIL = [
    "ravenscoombe",
    "rhoswynn",
    "saltmarrow-dev",
    "seldonpike",
    "silvanreed",
    "thistlecroft",
    "tamsinholt",
    "ulricbarrow",
    "umberlane",
    "verityknoll",
    "vossberge",
    "wendelmar",
    "willowmere-x",
    "wrenfallow",
    "yarrowgate",
    "yoricksand",
    "zephyrholm",
    "zillahcrane",
    "aldousfenn",
    "bramblewhit",
    "cinderlough",
    "dovecotebyte",
    "emberwyck",
    "fjordlinger",
    "gorsefield-t",
    "hollinmoss",
    "inglewort",
    "juniperash-q",
    "kelpharbour",
    "larkspindle",
    "mistralcove",
    "nettlebyre",
    "oakumdale",
    "pipistrelle-w",
    "quartzhaven",
    "rookwhistle",
    "skerryvane",
    "tarnbrook",
]

HUMANS: tuple[Account, ...] = (
    *_HEAVY,
    *(
        Account(
            900_000_201 + n, login, weight=5 + n % 5, offset=(n * 5) % 18 - 8, homes=(n % 5, n % 3)
        )
        for n, login in enumerate(_REGULARS)
    ),
    *(
        Account(
            900_000_301 + n,
            login,
            weight=9 - n,
            offset=n * 3 - 8,
            homes=(n % 5,),
            active=((230 + 28 * n, 999),),
        )
        for n, login in enumerate(_NEWCOMERS)
    ),
    *(
        Account(900_000_401 + n, login, offset=(n * 7) % 20 - 9, homes=(n % 5, (n * 3) % 5))
        for n, login in enumerate(_TAIL)
    ),
)

DEPENDABOT = Account(900_000_901, "dependabot[bot]", "Bot")
ACTIONS = Account(900_000_902, "github-actions[bot]", "Bot")
RENOVATE = Account(900_000_903, "renovate[bot]", "Bot")
CI_ROBOT = Account(900_000_904, "tidewater-ci-robot")
COPILOT = Account(900_000_911, "Copilot", "Bot")
DEVIN = Account(900_000_912, "devin-ai-integration[bot]", "Bot")
CLAUDE = Account(900_000_913, "claude[bot]", "Bot")
CODEX = Account(900_000_914, "chatgpt-codex-connector[bot]", "Bot")
JULES = Account(900_000_915, "google-labs-jules[bot]", "Bot")

AGENTS = (COPILOT, DEVIN, CLAUDE, JULES)

MAINTAINERS: tuple[tuple[Account, ...], ...] = (
    (_HEAVY[0], _HEAVY[1], _HEAVY[3]),
    (_HEAVY[0], _HEAVY[6]),
    (_HEAVY[2], _HEAVY[4]),
    (_HEAVY[2], _HEAVY[1], _HEAVY[6]),
    (_HEAVY[4], _HEAVY[7], _HEAVY[5]),
)
"""Who merges and releases, by repository."""
