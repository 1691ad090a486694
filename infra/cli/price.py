"""The command that says what the archive costs before anything is read."""

from __future__ import annotations

from decimal import Decimal

import click

from infra.cli.app import App, command
from infra.cli.tables import table
from shared.limits import limits_of, micro
from shared.pricing import Price, Prices, cents, tebibytes

_ON_DEMAND = Decimal("6.25")
_COUNTS = (1, 10, 100, 1000)


def add_to(group: click.Group) -> None:
    """Add the command of this file."""

    @command(group, "price", needs_data=False)
    @click.option(
        "--repositories", type=click.IntRange(1, 1_000_000), multiple=True, default=_COUNTS,
        show_default=True, help="How many; may be given several times.",
    )  # fmt: skip
    @click.option(
        "--days", type=click.IntRange(1, 5000), default=730, show_default=True,
        help="History that is read.",
    )  # fmt: skip
    def price(app: App, repositories: tuple[int, ...], days: int) -> None:
        """Say what reading the archive costs on Google Cloud, here and by a plain query each."""
        of_settings = limits_of(app.settings).price
        prices = Prices(of_settings or micro(_ON_DEMAND))
        rows = [(n, *_costs(prices, n, days)) for n in repositories]
        stored = prices.storage(days)
        names = ("plain", "here", "month")
        if app.emit(
            [
                {"repositories": n, **dict(zip(names, map(_as_json, costs), strict=True))}
                for n, *costs in rows
            ],
            days=days,
            storage_usd_a_month=cents(stored),
            usd_per_tib=str(Decimal(prices.per_tib).scaleb(-6).normalize()),
        ):
            return
        headings = ("plain TiB", "plain USD", "here TiB", "here USD", "month USD")
        made = table(
            f"{days} days of history", "repositories", *headings,
            right=("repositories", *headings),
        )  # fmt: skip
        for n, plain, here, month in rows:
            made.add_row(
                f"{n:,}", tebibytes(plain), cents(plain), tebibytes(here), cents(here), cents(month)
            )
        app.show(made)
        app.say(
            "plain: a query each over the archive itself; month: nightly refreshes. Storing the "
            f"events costs {cents(stored)} USD a month. BigQuery only; see docs/costs.md."
        )


def _costs(prices: Prices, repositories: int, days: int) -> tuple[Price, Price, Price]:
    return (
        prices.plain_history(repositories, days),
        prices.history(repositories, days),
        prices.month(repositories),
    )


def _as_json(price: Price) -> dict[str, object]:
    return {"bytes": price.bytes, "usd": cents(price)}
