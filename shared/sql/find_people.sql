-- Where accounts appear, and the latest name of each there: in events of any source, also beside somebody else's.
WITH named AS (
  SELECT actor_id AS account_id, actor_login AS login, repo_id, created_at
  FROM events
  WHERE actor_id IN UNNEST(@account_ids)
  UNION ALL
  SELECT author_id AS account_id, author_login AS login, repo_id, created_at
  FROM events
  WHERE author_id IN UNNEST(@account_ids)
  UNION ALL
  SELECT actor_id AS account_id, actor_login AS login, repo_id, created_at
  FROM github_events
  WHERE actor_id IN UNNEST(@account_ids)
  UNION ALL
  SELECT author_id AS account_id, author_login AS login, repo_id, created_at
  FROM github_events
  WHERE author_id IN UNNEST(@account_ids)
  UNION ALL
  SELECT
    SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) AS account_id,
    JSON_VALUE(p, '$.login') AS login,
    repo_id,
    created_at
  FROM github_events
  CROSS JOIN UNNEST(JSON_QUERY_ARRAY(co_authors, '$')) AS p
  WHERE SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) IN UNNEST(@account_ids)
  UNION ALL
  SELECT
    SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) AS account_id,
    JSON_VALUE(p, '$.login') AS login,
    repo_id,
    created_at
  FROM github_events
  CROSS JOIN UNNEST(JSON_QUERY_ARRAY(assignees, '$')) AS p
  WHERE SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) IN UNNEST(@account_ids)
)

SELECT
  account_id,
  repo_id,
  -- The time leads the text, so the maximum is the latest name.
  SUBSTR(MAX(CONCAT(CAST(UNIX_MICROS(created_at) AS STRING), ' ', login)), 18) AS login,
  MAX(created_at) AS seen_at
FROM named
GROUP BY account_id, repo_id
ORDER BY account_id, repo_id
