"""The events of a history as GH Archive has them: in full, or trimmed as since October 2025."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from tests.support import github_shapes as shapes
from tests.support.github_history import History
from tests.support.github_model import Happening, Issue, Pull, Repository, node_id

Line = dict[str, Any]
LISTED = 20
"""How many commits a push lists at most."""
MERGED_SINCE = "2025-12-01T00:00:00Z"
"""From when a trimmed event says ``merged``; before it a merge looks like any closing."""


class Events:
    """Makes lines. The repository and people bear the names that held at the time."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._logins: dict[int, list[tuple[str, str]]] = {}
        for each in history.happenings:
            self._logins.setdefault(each.actor, []).append((each.at, each.login))

    def line(self, place: int, event: Happening, trimmed: bool) -> Line | None:
        """The event at a place of the history; None if its repository is gone or not public."""
        found = self.history.repositories.get(event.repository)
        if found is None or found.private:
            return None
        repository = replace(found, name=event.name)
        payload = self._payload(repository, event, place, trimmed)
        return {
            "id": str((5_000_000_000 if trimmed else 45_000_000_000) + place),
            "type": event.type,
            "actor": {
                "id": event.actor,
                "login": event.login,
                "display_login": event.login.removesuffix("[bot]"),
                "gravatar_id": "",
                "url": f"{shapes.API}/users/{event.login}",
                "avatar_url": f"https://avatars.githubusercontent.com/u/{event.actor}?",
            },
            "repo": {
                "id": event.repository,
                "name": event.name,
                "url": f"{shapes.API}/repos/{event.name}",
            },
            "payload": payload,
            "public": True,
            "created_at": event.at,
        }

    def _payload(self, place: Repository, event: Happening, at: int, trimmed: bool) -> Line:
        match event.type:
            case "PushEvent":
                return _push(place, event, at, trimmed)
            case "PullRequestEvent":
                return self._pull_event(place, event, trimmed)
            case "PullRequestReviewEvent":
                return self._review(place, event, trimmed)
            case "PullRequestReviewCommentEvent":
                (found,) = (each for each in place.line_comments if each.id == event.object)
                comment = self._voiced(
                    shapes.line_comment(self.history, place, found), found.author, event
                )
                pull = self._pull(place, place.pull(event.number or 0), event, trimmed)
                return {"action": "created", "comment": comment, "pull_request": pull}
            case "IssuesEvent":
                return {"action": event.action, "issue": self._issue(place, event)}
            case "IssueCommentEvent":
                (told,) = (each for each in place.comments if each.id == event.object)
                comment = self._voiced(
                    shapes.comment(self.history, place, told), told.author, event
                )
                return {"action": "created", "issue": self._issue(place, event), "comment": comment}
            case "CommitCommentEvent":
                (said,) = (each for each in place.commit_comments if each.id == event.object)
                shape = shapes.commit_comment(self.history, place, said)
                return {"action": "created", "comment": self._voiced(shape, said.author, event)}
            case "ReleaseEvent":
                (release,) = (each for each in place.releases if each.id == event.object)
                shape = shapes.release(self.history, place, release)
                shape["author"] = self._user(release.author, event)
                return {"action": "published", "release": shape}
        raise KeyError(event.type)

    def _pull_event(self, place: Repository, event: Happening, trimmed: bool) -> Line:
        pull = place.pull(event.number or 0)
        action = event.action
        if trimmed and action == "closed" and pull.merged_at == event.at >= MERGED_SINCE:
            action = "merged"
        shape = self._pull(place, pull, event, trimmed)
        if not trimmed:
            merged = pull.merged_at is not None and pull.merged_at <= event.at
            shape |= {
                "merged": merged,
                "merged_by": self._user(pull.merged_by or 0, event) if merged else None,
                "comments": 0,
                "review_comments": 0,
                "commits": len(pull.shas),
                "additions": pull.additions,
                "deletions": pull.deletions,
                "changed_files": 1,
            }
        return {"action": action, "number": pull.number, "pull_request": shape}

    def _pull(self, place: Repository, pull: Pull, event: Happening, trimmed: bool) -> Line:
        """A pull request as it was, or its stub."""
        repository = {
            "id": place.id,
            "url": f"{shapes.API}/repos/{place.name}",
            "name": place.name.partition("/")[2],
        }
        stub = {
            "url": f"{shapes.API}/repos/{place.name}/pulls/{pull.number}",
            "id": pull.id,
            "number": pull.number,
            "head": {"ref": pull.head, "sha": pull.head_sha, "repo": repository},
            "base": {"ref": pull.base, "sha": pull.base_sha, "repo": repository},
        }
        if trimmed:
            return stub
        merged = pull.merged_at is not None and pull.merged_at <= event.at
        return stub | {
            "node_id": node_id("PR", place.id, pull.id),
            "html_url": f"{shapes.SITE}/{place.name}/pull/{pull.number}",
            **self._common(pull, event),
            "merged_at": pull.merged_at if merged else None,
            "merge_commit_sha": pull.merge_sha if merged else None,
            "draft": False,
        }

    def _issue(self, place: Repository, event: Happening) -> Line:
        issue = place.threads[event.number or 0]
        pull = isinstance(issue, Pull)
        url = f"{shapes.API}/repos/{place.name}"
        page = f"{shapes.SITE}/{place.name}/{'pull' if pull else 'issues'}/{issue.number}"
        told = {"pull_request": {"url": f"{url}/pulls/{issue.number}"}} if pull else {}
        return {
            "url": f"{url}/issues/{issue.number}",
            "repository_url": url,
            "html_url": page,
            "id": issue.id,
            "node_id": node_id("PR" if pull else "I", place.id, issue.id),
            "number": issue.number,
            **self._common(issue, event),
            **told,
        }

    def _common(self, thread: Issue, event: Happening) -> Line:
        turns = [turn for turn in thread.turns if turn.at <= event.at]
        closed = turns[-1].at if turns and turns[-1].kind != "reopened" else None
        return {
            "title": thread.title,
            "body": None,
            "state": "open" if closed is None else "closed",
            "locked": False,
            "user": self._user(thread.author, event),
            "assignees": [self._user(each, event) for each in thread.assignees],
            "created_at": thread.created_at,
            "updated_at": event.at,
            "closed_at": closed,
        }

    def _review(self, place: Repository, event: Happening, trimmed: bool) -> Line:
        pull = place.pull(event.number or 0)
        (review,) = (each for each in pull.reviews if each.id == event.object)
        page = f"{shapes.SITE}/{place.name}/pull/{pull.number}"
        told = {
            "id": review.id,
            "node_id": node_id("PRR", place.id, review.id),
            "user": self._user(review.author, event),
            "body": None,
            "commit_id": review.sha,
            "submitted_at": review.submitted_at,
            "state": review.state.lower(),
            "html_url": f"{page}#pullrequestreview-{review.id}",
            "pull_request_url": f"{shapes.API}/repos/{place.name}/pulls/{pull.number}",
        }
        shape = self._pull(place, pull, event, trimmed)
        return {"action": "created", "review": told, "pull_request": shape}

    def _voiced(self, shape: Line, author: int, event: Happening) -> Line:
        return shape | {"user": self._user(author, event)}

    def _user(self, id_: int, event: Happening) -> Line | None:
        """An account as it was: before it was deleted, by the login that it had."""
        found = self.history.accounts[id_]
        logins = [login for at, login in self._logins.get(id_, ()) if at <= event.at]
        login = logins[-1] if logins else found.login
        return shapes.account(replace(found, login=login, deleted=False))


def _push(place: Repository, event: Happening, at: int, trimmed: bool) -> Line:
    told = {
        "repository_id": place.id,
        "push_id": 23_000_000_000 + at,
        "ref": event.ref,
        "head": event.head,
        "before": event.before,
    }
    if trimmed:
        return told
    listed = event.shas[-LISTED:]
    return told | {
        "size": len(event.shas),
        "distinct_size": len(event.new),
        "commits": [_commit(place, sha, sha in event.new) for sha in listed],
    }


def _commit(place: Repository, sha: str, new: bool) -> Line:
    """The address's local part is replaced by its hash, as the archive does."""
    commit = place.commits.get(sha)
    name, mail = commit.author if commit else ("", "@")
    local, _, domain = mail.rpartition("@")
    hidden = hashlib.sha1(local.encode(), usedforsecurity=False).hexdigest()
    return {
        "sha": sha,
        "author": {"email": f"{hidden}@{domain}", "name": name},
        "message": commit.message if commit else "",
        "distinct": new,
        "url": f"{shapes.API}/repos/{place.name}/commits/{sha}",
    }
