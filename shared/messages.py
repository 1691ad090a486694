"""The topics, and what their messages say. Subscriptions stand with the implementations."""

SCRAPED = "repository-scraped"
"""A repository's contributions were stored. Data: ``job_id``, the job whose next stage is due."""

CHANGED = "leaderboard-changed"
"""Boards of a repository were published, or a repository was removed. Data: ``board``, its name."""
