"""REST's shapes of what a history holds."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.support.github_history import History
from tests.support.github_model import (
    Account,
    Comment,
    Commit,
    Pull,
    Release,
    Repository,
    node_id,
)

Shape = dict[str, Any]
API, SITE = "https://api.github.com", "https://github.com"
_OF_USER = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_OF_REPOSITORY = """
archive/{archive_format}{/ref} assignees{/user} blobs{/sha} branches{/branch}
collaborators{/collaborator} comments{/number} commits{/sha} compare/{base}...{head}
contents/{+path} contributors deployments downloads events forks git_commits{/sha}
git_refs{/sha} git_tags{/sha} hooks issue_comment{/number} issue_events{/number} issues{/number}
keys{/key_id} labels{/name} languages merges milestones{/number}
notifications{?since,all,participating} pulls{/number} releases{/id} stargazers statuses/{sha}
subscribers subscription tags teams trees{/sha}
"""


def account(found: Account | None) -> Shape | None:
    """A ``simple-user``; None for a deleted account."""
    if found is None or found.deleted:
        return None
    url = f"{API}/users/{quote(found.login, safe='')}"
    page = f"apps/{found.app}" if found.app else found.login
    return {
        "login": found.login,
        "id": found.id,
        "node_id": found.node_id,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{found.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{SITE}/{page}",
        **{name: url + path for name, path in _OF_USER.items()},
        "type": found.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def profile(found: Account) -> Shape:
    """A ``public-user``."""
    twitter = [url.rpartition("/")[2] for kind, url in found.social if kind == "TWITTER"]
    return {
        **(account(found) or {}),
        "name": found.name,
        "company": found.company,
        "blog": found.website or "",
        "location": found.location,
        "email": found.mail,
        "hireable": None,
        "bio": found.bio,
        "twitter_username": twitter[0] if twitter else None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": found.followers,
        "following": 0,
        "created_at": found.created_at,
        "updated_at": found.created_at,
    }


def social(found: Account) -> list[Shape]:
    return [{"provider": kind.lower(), "url": url} for kind, url in found.social]


def repository(history: History, found: Repository) -> Shape:
    """A ``full-repository``."""
    url, page = f"{API}/repos/{found.name}", f"{SITE}/{found.name}"
    open_ = sum(thread.closed_at is None for thread in found.threads.values())
    links = {part.partition("{")[0].partition("/")[0]: part for part in _OF_REPOSITORY.split()}
    return {
        "id": found.id,
        "node_id": found.node_id,
        "name": found.name.partition("/")[2],
        "full_name": found.name,
        "private": found.private,
        "owner": account(history.accounts[found.owner]),
        "html_url": page,
        "description": found.description,
        "fork": found.fork,
        "url": url,
        **{f"{name}_url": f"{url}/{part.replace('_', '/', 1)}" for name, part in links.items()},
        "git_url": f"git://github.com/{found.name}.git",
        "ssh_url": f"git@github.com:{found.name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": found.language,
        "size": len(found.commits),
        "default_branch": found.default_branch,
        "stargazers_count": found.stars,
        "watchers": found.stars,
        "watchers_count": found.stars,
        "forks": found.forks,
        "forks_count": found.forks,
        "open_issues": open_,
        "open_issues_count": open_,
        "network_count": found.forks,
        "subscribers_count": 0,
        "has_issues": found.has_issues,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "has_downloads": True,
        "archived": found.archived,
        "disabled": False,
        "visibility": "private" if found.private else "public",
        "license": None,
        "topics": [],
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "pushed_at": found.updated_at,
    }


def comment(history: History, place: Repository, found: Comment) -> Shape:
    """An ``issue-comment``."""
    url, page = f"{API}/repos/{place.name}/issues", f"{SITE}/{place.name}"
    number = found.number
    kind = "pull" if isinstance(place.threads.get(number or 0), Pull) else "issues"
    return {
        "url": f"{url}/comments/{found.id}",
        "html_url": f"{page}/{kind}/{number}#issuecomment-{found.id}",
        "issue_url": f"{url}/{number}",
        "id": found.id,
        "node_id": node_id("IC", place.id, found.id),
        **_said(history, place, found),
        "performed_via_github_app": None,
    }


def line_comment(history: History, place: Repository, found: Comment) -> Shape:
    """A ``pull-request-review-comment``."""
    url, page = f"{API}/repos/{place.name}/pulls", f"{SITE}/{place.name}/pull/{found.number}"
    own, pull = f"{page}#discussion_r{found.id}", f"{url}/{found.number}"
    return {
        "url": f"{url}/comments/{found.id}",
        "html_url": own,
        "pull_request_url": pull,
        "id": found.id,
        "node_id": node_id("PRRC", place.id, found.id),
        "pull_request_review_id": found.review,
        "diff_hunk": "@@ -1 +1 @@",
        "path": "engine.py",
        "commit_id": found.sha,
        "original_commit_id": found.sha,
        "position": 1,
        "original_position": 1,
        "line": 1,
        "side": "RIGHT",
        "subject_type": "line",
        "_links": {"self": {"href": own}, "html": {"href": own}, "pull_request": {"href": pull}},
        **_said(history, place, found),
    }


def commit_comment(history: History, place: Repository, found: Comment) -> Shape:
    return {
        "url": f"{API}/repos/{place.name}/comments/{found.id}",
        "html_url": f"{SITE}/{place.name}/commit/{found.sha}#commitcomment-{found.id}",
        "id": found.id,
        "node_id": node_id("CC", place.id, found.id),
        "position": None,
        "line": None,
        "path": None,
        "commit_id": found.sha,
        **_said(history, place, found),
    }


def _said(history: History, place: Repository, found: Comment) -> Shape:
    return {
        "user": account(history.accounts[found.author]),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "body": found.body,
        "author_association": "OWNER" if found.author == place.owner else "CONTRIBUTOR",
    }


def release(history: History, place: Repository, found: Release) -> Shape:
    url, page = f"{API}/repos/{place.name}/releases", f"{SITE}/{place.name}"
    return {
        "url": f"{url}/{found.id}",
        "assets_url": f"{url}/{found.id}/assets",
        "upload_url": f"https://uploads.github.com/repos/{place.name}/releases/{found.id}/assets",
        "html_url": f"{page}/releases/tag/{found.tag}",
        "id": found.id,
        "author": account(history.accounts[found.author]),
        "node_id": node_id("RE", place.id, found.id),
        "tag_name": found.tag,
        "target_commitish": place.default_branch,
        "name": found.tag,
        "draft": found.published_at is None,
        "prerelease": False,
        "created_at": found.created_at,
        "published_at": found.published_at,
        "assets": [],
        "tarball_url": f"{API}/repos/{place.name}/tarball/{found.tag}",
        "zipball_url": f"{API}/repos/{place.name}/zipball/{found.tag}",
        "body": "",
    }


def commit(history: History, place: Repository, sha: str) -> Shape:
    """A ``commit`` as lists have it: without lines."""
    found: Commit = place.commits[sha]
    url, page = f"{API}/repos/{place.name}", f"{SITE}/{place.name}/commit"
    author, committer = (
        {"name": name, "email": mail, "date": at}
        for (name, mail), at in (
            (found.author, found.authored_at),
            (found.committer, found.committed_at),
        )
    )
    return {
        "sha": sha,
        "node_id": node_id("C", place.id, sha),
        "commit": {
            "author": author,
            "committer": committer,
            "message": found.message,
            "tree": {"sha": sha[::-1], "url": f"{url}/git/trees/{sha[::-1]}"},
            "url": f"{url}/git/commits/{sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "url": f"{url}/commits/{sha}",
        "html_url": f"{page}/{sha}",
        "comments_url": f"{url}/commits/{sha}/comments",
        "author": account(history.account_of(found.author[1])),
        "committer": account(history.account_of(found.committer[1])),
        "parents": [
            {"sha": each, "url": f"{url}/commits/{each}", "html_url": f"{page}/{each}"}
            for each in found.parents
        ],
    }
