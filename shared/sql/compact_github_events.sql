-- What holds of some repositories' events from GitHub: of each the row observed last, without what was gone when its list was read anew.
WITH reread AS (
  SELECT
    JSON_VALUE(r, '$.event_type') AS event_type,
    -- The list was read anew as far back as this ...
    TIMESTAMP_MICROS(CAST(JSON_VALUE(r, '$.since') AS INT64)) AS since,
    -- ... from this moment on: what it still had was observed then or later.
    TIMESTAMP_MICROS(CAST(JSON_VALUE(r, '$.observed') AS INT64)) AS observed
  FROM UNNEST(JSON_QUERY_ARRAY(@reread, '$')) AS r
)

SELECT e.*
FROM github_events AS e
LEFT JOIN reread AS r ON r.event_type = e.event_type
WHERE
  e.repo_id IN UNNEST(@repo_ids)
  AND (r.event_type IS NULL OR e.created_at < r.since OR e.observed_at >= r.observed)
-- Every column takes part in the order, so that ties do not depend on the input's.
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY e.repo_id, e.event_id
  ORDER BY
    e.observed_at DESC, e.event_type, e.created_at, e.repo_name, e.actor_id, e.actor_login,
    e.action, e.number, e.object_id, e.author_id, e.author_login, e.author_type, e.actor_type,
    e.merged, e.additions, e.deletions, e.review_state, e.push_distinct_size,
    e.push_listed_distinct, e.ref, e.head, e.parents, e.author_mail, e.co_authors, e.assignees
) = 1
ORDER BY repo_id, event_id
