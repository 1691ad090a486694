"""GraphQL's reviews, comments and releases of a repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.github_connections import Arguments, connection
from tests.support.github_model import Comment, Pull, Release, Review, node_id
from tests.support.github_people import Object, ids, pages, user

if TYPE_CHECKING:
    from tests.support.github_nodes import Nodes


def review(nodes: Nodes, pull: Pull, found: Review) -> Object:
    return {
        "__typename": "PullRequestReview",
        "id": node_id("PRR", nodes.place.id, found.id),
        **ids(found.id),
        "state": found.state,
        "submittedAt": found.submitted_at,
        **_said(nodes, found.author, found.submitted_at, found.submitted_at, ""),
        "comments": lambda _, **args: pages(
            "comments",
            [each for each in nodes.place.line_comments if each.review == found.id],
            lambda each: line_comment(nodes, each),
            args,
        ),
        "pullRequest": lambda _: nodes.thread(pull),
        "url": f"{nodes.page}/pull/{pull.number}#pullrequestreview-{found.id}",
    }


def comment(nodes: Nodes, found: Comment) -> Object:
    thread = nodes.place.threads[found.number or 0]
    pull = isinstance(thread, Pull)
    return {
        "__typename": "IssueComment",
        "id": node_id("IC", nodes.place.id, found.id),
        **ids(found.id),
        **_said(nodes, found.author, found.created_at, found.updated_at, found.body),
        "issue": lambda _: nodes.thread(thread),
        "pullRequest": lambda _: nodes.thread(thread) if pull else None,
        "url": f"{nodes.page}/issues/{thread.number}#issuecomment-{found.id}",
    }


def line_comment(nodes: Nodes, found: Comment) -> Object:
    pull = nodes.place.pull(found.number or 0)
    (mine,) = (each for each in pull.reviews if each.id == found.review)
    return {
        "__typename": "PullRequestReviewComment",
        "id": node_id("PRRC", nodes.place.id, found.id),
        **ids(found.id),
        **_said(nodes, found.author, found.created_at, found.updated_at, found.body),
        "path": "engine.py",
        "pullRequest": lambda _: nodes.thread(pull),
        "pullRequestReview": lambda _: review(nodes, pull, mine),
        "url": f"{nodes.page}/pull/{pull.number}#discussion_r{found.id}",
    }


def commit_comment(nodes: Nodes, found: Comment) -> Object:
    return {
        "__typename": "CommitComment",
        "id": node_id("CC", nodes.place.id, found.id),
        "databaseId": found.id,
        **_said(nodes, found.author, found.created_at, found.updated_at, found.body),
        "commit": lambda _: nodes.commit(found.sha or ""),
        "path": None,
        "position": None,
        "url": f"{nodes.page}/commit/{found.sha}#commitcomment-{found.id}",
    }


def _said(nodes: Nodes, author: int, created: str, updated: str, body: str) -> Object:
    return {
        "author": nodes.actor(author),
        "authorAssociation": nodes.association(author),
        "body": body,
        "createdAt": created,
        "publishedAt": created,
        "updatedAt": updated,
        "repository": lambda _: nodes.repository(),
    }


def commit_comments(
    nodes: Nodes, name: str, comments: Sequence[Comment], args: Arguments
) -> Object:
    return pages(name, comments, lambda each: commit_comment(nodes, each), args)


def published(nodes: Nodes) -> list[Release]:
    found = [release for release in nodes.place.releases if release.published_at]
    return sorted(found, key=lambda release: release.created_at)


def releases(nodes: Nodes, args: Arguments) -> Object:
    order = args.get("orderBy") or {"field": "CREATED_AT", "direction": "DESC"}
    by: Callable[[Release], list[Any]] = (
        (lambda release: [release.tag, release.id])
        if order["field"] == "NAME"
        else (lambda release: [release.created_at, release.id])
    )
    descending = order["direction"] == "DESC"

    def node(found: Release) -> Object:
        return release(nodes, found)

    return connection("releases", published(nodes), by, node, args, descending)


def release(nodes: Nodes, found: Release) -> Object:
    return {
        "__typename": "Release",
        "id": node_id("RE", nodes.place.id, found.id),
        "databaseId": found.id,
        "name": found.tag,
        "tagName": found.tag,
        "author": lambda _: user(nodes.account(found.author)),
        "createdAt": found.created_at,
        "publishedAt": found.published_at,
        "updatedAt": found.published_at or found.created_at,
        "description": "",
        "isDraft": found.published_at is None,
        "isPrerelease": False,
        "isLatest": found is published(nodes)[-1],
        "tagCommit": lambda _: nodes.commit(found.sha or ""),
        "repository": lambda _: nodes.repository(),
        "url": f"{nodes.page}/releases/tag/{quote(found.tag)}",
    }


def tagged(nodes: Nodes, tag: str) -> Object | None:
    """The published release of a tag."""
    return next((release(nodes, each) for each in published(nodes) if each.tag == tag), None)


def latest(nodes: Nodes) -> Object | None:
    return next((release(nodes, each) for each in reversed(published(nodes))), None)
