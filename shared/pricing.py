"""What the archive costs: before anything is read, from the sizes of its tables.

The sizes are those measured of GH Archive's public tables (docs/sources.md) and of real hours
unpacked (docs/costs.md says how); prices are BigQuery's on demand. Nothing here asks anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shared.limits import TIB, dollars, price_of

ARCHIVE_DAY_BYTES = 14_900_000_000_000 // 1096
"""A day of the archive with its payloads: 14.9 TB were billed for three years of it."""

SLIM_DAY_BYTES = 600_000_000
"""A day of slim events of all of GitHub: 4.8 million events, of which three in four are tracked,
at about 165 bytes each."""

REFRESH_BYTES = 150_000_000
"""What refreshing one repository's boards is billed: some fifteen statements, of which each is
billed the least there is, 10 MB."""

GIB = 2**30
STORAGE_MICRO_USD = 20_000
"""A GiB stored for a month, as long as it changes; half of it after 90 days."""

MONTH_DAYS = Decimal("30.4375")


@dataclass(frozen=True, slots=True)
class Price:
    """Bytes read and what they cost, in micro-dollars."""

    bytes: int
    micro_usd: int

    @property
    def usd(self) -> Decimal:
        return dollars(self.micro_usd)

    def __add__(self, other: Price) -> Price:
        return Price(self.bytes + other.bytes, self.micro_usd + other.micro_usd)


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices by which an estimate is made: micro-dollars per TiB read."""

    per_tib: int

    def read(self, size: int) -> Price:
        """What reading these bytes costs."""
        return Price(size, price_of(size, self.per_tib))

    def plain_history(self, repositories: int, days: int) -> Price:
        """What most people do: a query a repository over the archive itself.

        It is not clustered, so each reads the payloads of everybody.
        """
        return self.read(repositories * days * ARCHIVE_DAY_BYTES)

    def history(self, repositories: int, days: int) -> Price:
        """What is done here: the archive once, then a clustered read for those who wait."""
        return self.read(days * ARCHIVE_DAY_BYTES) + self.gathering(repositories, days)

    def gathering(self, repositories: int, days: int) -> Price:
        """The read from the extracted days: clustered, so it grows with who is read, up to all.

        A block of a clustered table is some hundred MB at most, and so each repository takes at
        most a twentieth of a day with it.
        """
        part = min(repositories * SLIM_DAY_BYTES // 20, SLIM_DAY_BYTES)
        return self.read(days * part)

    def month(self, repositories: int, refreshes_a_day: int = 1) -> Price:
        """What keeping boards up to date reads in a month: each new day once, then the boards."""
        new_days = self.read(int(MONTH_DAYS * ARCHIVE_DAY_BYTES))
        gathered = self.read(int(MONTH_DAYS * self.gathering(repositories, 1).bytes))
        refreshed = self.read(int(MONTH_DAYS * refreshes_a_day * repositories * REFRESH_BYTES))
        return new_days + gathered + refreshed

    @staticmethod
    def storage(days: int) -> Price:
        """A month of keeping the slim events of all of GitHub for so many days."""
        fresh, old = min(days, 90), max(days - 90, 0)
        size = days * SLIM_DAY_BYTES
        halves = (2 * fresh + old) * SLIM_DAY_BYTES * STORAGE_MICRO_USD
        return Price(size, -(-halves // (2 * GIB)))


def cents(price: Price) -> str:
    """Dollars with two places, for people."""
    return f"{price.usd.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def tebibytes(price: Price) -> str:
    """Bytes as TiB with two places, for people."""
    return f"{(Decimal(price.bytes) / TIB).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
