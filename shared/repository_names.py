"""The names that find a repository: the one it was registered with, and those it got later.

``repositories/<key>`` is found by the name of its registration; another name leads there through
``repository_names/<key of the name>``. Whoever took a name last has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.models import RepositoryName
from shared.ports import Document, Documents, Transaction, Write


def alias_path(key: str) -> str:
    """Where it is stored which repository a name leads to. ``key`` is that of the name."""
    return f"repository_names/{key}"


def find(documents: Documents, name: RepositoryName) -> Document | None:
    """The registered repository that this name leads to. One round trip, two for a later name."""
    direct, alias = documents.get(f"repositories/{name.key}", alias_path(name.key))
    if alias is None:
        return direct
    (found,) = documents.get(f"repositories/{alias.fields['key']}")
    return found


def find_in(transaction: Transaction, name: RepositoryName) -> Document | None:
    """Like ``find``, as it is in a transaction."""
    alias = transaction.get(alias_path(name.key))
    key = name.key if alias is None else alias.fields["key"]
    return transaction.get(f"repositories/{key}")


def naming(key: str, aliases: Iterable[str], name: str) -> tuple[tuple[str, ...], list[Write]]:
    """That the repository registered as ``key`` is called ``name`` now: its aliases, the writes."""
    current = key_of(name)
    if current == key:
        return tuple(aliases), [Write(alias_path(key), None)]
    return tuple(sorted({*aliases, current})), [Write(alias_path(current), {"key": key})]


def forgetting(transaction: Transaction, key: str, aliases: Iterable[str]) -> list[Write]:
    """What takes a repository's names away, but for those that others have taken. Reads."""
    found = [transaction.get(alias_path(alias)) for alias in aliases]
    return [Write(d.path, None) for d in found if d is not None and d.fields["key"] == key]


def key_of(name: str) -> str:
    """The key of ``owner/name`` as GitHub or the archive spells it."""
    return name.replace("/", "~", 1).lower()
