"""``key``: the API keys of an installation, from where its data is."""

from __future__ import annotations

from datetime import timedelta

import click

from infra.cli.app import CALLER, App, command
from infra.cli.tables import table
from infra.cli.texts import minute
from shared import keys, sign_in
from shared.auth import Role
from shared.keys import Made, StoredKey
from shared.models import parse_time

_PAGE = 100


def add_to(parent: click.Group) -> None:
    """Add the commands of this file."""

    @parent.group("key")
    def group() -> None:
        """Make, list, replace and revoke API keys; say who on GitHub stands for them."""

    _add_create(group)
    _add_list(group)
    _add_changes(group)
    _add_accounts(group)


def _add_create(group: click.Group) -> None:
    @command(group, "create", makes_data=True)
    @click.argument("name")
    @click.option(
        "--role", type=click.Choice([role.value for role in Role]), default="user",
        show_default=True,
    )  # fmt: skip
    @click.option("--scope", "scopes", multiple=True, help="May be given several times.")
    @click.option("--expires", help="A time such as 2026-01-31T00:00:00Z. [default: never]")
    def create(
        app: App, name: str, role: str, scopes: tuple[str, ...], expires: str | None
    ) -> None:
        """Make a key and show it once. It is stored as a hash."""
        ends = None if expires is None else parse_time(expires)
        _show(app, keys.create(app.services, CALLER, name, Role(role), list(scopes) or None, ends))


def _add_list(group: click.Group) -> None:
    @command(group, "list")
    def list_(app: App) -> None:
        """All keys, with those that have expired or were revoked."""
        found = _all(app)
        if app.emit([key.model_dump(mode="json") for key in found]):
            return
        made = table("API keys", "id", "name", "role", "scopes", "state", "expires", "last used")
        for key in found:
            made.add_row(
                key.id,
                key.name,
                key.role.value,
                ", ".join(key.scopes),
                key.state,
                minute(key.expires_at or ""),
                minute(key.last_used_at or ""),
                style=None if key.state == "active" else "dim",
            )
        app.show(made)


def _add_changes(group: click.Group) -> None:
    @command(group, "rotate")
    @click.argument("key_id", metavar="ID")
    @click.option(
        "--grace-minutes", type=click.IntRange(0, 7 * 24 * 60), default=0, show_default=True,
        help="How long the former text is still taken.",
    )  # fmt: skip
    def rotate(app: App, key_id: str, grace_minutes: int) -> None:
        """Give a key another text and show it once."""
        _show(app, keys.rotate(app.services, CALLER, key_id, timedelta(minutes=grace_minutes)))

    @command(group, "revoke")
    @click.argument("key_id", metavar="ID")
    def revoke(app: App, key_id: str) -> None:
        """End a key at once and for good."""
        ended = keys.revoke(app.services, CALLER, key_id)
        if not app.emit(ended.model_dump(mode="json")):
            app.say(f"Key {ended.id} ({ended.name}) is revoked.")


def _add_accounts(group: click.Group) -> None:
    @command(group, "attach")
    @click.argument("key_id", metavar="ID")
    @click.argument("account", type=click.IntRange(min=1))
    def attach(app: App, key_id: str, account: int) -> None:
        """Let an ACCOUNT on GitHub (its numeric id) stand for a key in the dashboard."""
        sign_in.attach(app.services, CALLER, key_id, account)
        if not app.emit({"key": key_id, "accounts": sign_in.attached(app.services, key_id)}):
            app.say(f"Account {account} stands for key {key_id}.")

    @command(group, "detach")
    @click.argument("account", type=click.IntRange(min=1))
    def detach(app: App, account: int) -> None:
        """Let an ACCOUNT on GitHub stand for no key any more; its sessions end."""
        sign_in.detach(app.services, CALLER, account)
        if not app.emit({"account": account}):
            app.say(f"Account {account} stands for no key any more.")


def _all(app: App) -> list[StoredKey]:
    found: list[StoredKey] = []
    page = keys.listed(app.services, limit=_PAGE)
    found += page.keys
    while page.cursor is not None:
        page = keys.listed(app.services, after=page.cursor, limit=_PAGE)
        found += page.keys
    return found


def _show(app: App, made: Made) -> None:
    if not app.emit({"key": made.text, "about": made.key.model_dump(mode="json")}):
        app.say(made.text)
        app.warn("Keep it: it is stored as a hash and cannot be shown again.")
