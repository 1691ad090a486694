-- What GitHub said last of each event of some repositories: many units of it become one.
SELECT *
FROM github_events
WHERE repo_id IN UNNEST(@repo_ids)
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY repo_id, event_id
  ORDER BY
    observed_at DESC, created_at, event_type, actor_id, action, number, object_id, author_id,
    merged, additions, deletions, parents, actor_login, author_login, actor_type, author_type,
    ref, head, author_mail, co_authors, assignees
) = 1
ORDER BY repo_id, created_at, event_id
