"""Who and what there is on the stand-in for GitHub, by id and by the names it has or had."""

from __future__ import annotations

from typing import Any

from tests.support.github_model import Account, Repository


class Register:
    """Accounts, repositories, and the names that lead to them."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.names: dict[str, int] = {}
        """Every name a repository has or had, in lower case, unless another took it."""

    def account(self, login: str) -> Account:
        """The account of a login. Raises KeyError."""
        for account in self.accounts.values():
            if account.login.lower() == login.lower() and not account.deleted:
                return account
        raise KeyError(login)

    def at(self, name: str) -> Repository:
        """The repository that has or had a name. Raises KeyError."""
        return self.repositories[self.names[name.lower()]]

    def account_of(self, mail: str) -> Account | None:
        """The account that GitHub joins to an address of git's."""
        found = (a for a in self.accounts.values() if not a.deleted and a.has(mail))
        return next(found, None)

    def add_person(self, login: str, id: int, **told: Any) -> None:  # noqa: A002
        told = {key: _frozen(value) for key, value in told.items()}
        self.accounts[id] = Account(id, login, **told)

    def rename_person(self, login: str, to: str) -> None:
        self.account(login).login = to

    def delete_person(self, login: str) -> None:
        self.account(login).deleted = True

    def change_person(self, login: str, **told: Any) -> None:
        for key, value in told.items():
            setattr(self.account(login), key, _frozen(value))

    def add_repository(self, name: str, id: int, at: str, **told: Any) -> None:  # noqa: A002
        owner = self.account(name.partition("/")[0])
        self.repositories[id] = Repository(id, name, owner.id, at, at, **told)
        self.names[name.lower()] = id

    def rename_repository(self, name: str, to: str, at: str) -> None:
        """Another name, or another owner's: the old name leads here until it is taken."""
        repository = self.at(name)
        repository.owner = self.account(to.partition("/")[0]).id
        repository.name, repository.updated_at = to, at
        self.names[to.lower()] = repository.id

    def change_repository(self, name: str, at: str, **told: Any) -> None:
        repository = self.at(name)
        for key, value in told.items():
            setattr(repository, key, value)
        repository.updated_at = at

    def remove_repository(self, name: str) -> None:
        id_ = self.at(name).id
        del self.repositories[id_]
        self.names = {key: value for key, value in self.names.items() if value != id_}


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_frozen(each) for each in value)
    return value
