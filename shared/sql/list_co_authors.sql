-- Everybody whom GitHub names in commits and pull requests of some repositories: authors, co-authors, assignees.
WITH named AS (
  SELECT
    actor_id AS account_id,
    actor_login AS login,
    actor_type AS account_type,
    author_mail AS mail
  FROM github_events
  WHERE repo_id IN UNNEST(@repo_ids) AND event_type = 'Commit'
  UNION ALL
  SELECT
    COALESCE(author_id, actor_id) AS account_id,
    IF(author_id IS NULL, actor_login, author_login) AS login,
    IF(author_id IS NULL, actor_type, author_type) AS account_type,
    CAST(NULL AS STRING) AS mail
  FROM github_events
  WHERE repo_id IN UNNEST(@repo_ids) AND event_type = 'PullRequestEvent' AND action = 'opened'
  UNION ALL
  SELECT
    CAST(JSON_VALUE(o, '$.id') AS INT64) AS account_id,
    JSON_VALUE(o, '$.login') AS login,
    JSON_VALUE(o, '$.type') AS account_type,
    JSON_VALUE(o, '$.mail') AS mail
  FROM github_events AS g
  CROSS JOIN
    UNNEST(JSON_QUERY_ARRAY(IF(g.event_type = 'Commit', g.co_authors, g.assignees), '$')) AS o
  WHERE g.repo_id IN UNNEST(@repo_ids) AND g.event_type IN ('Commit', 'PullRequestEvent')
)

SELECT account_id, login, account_type, mail
FROM named
WHERE account_id IS NOT NULL OR mail IS NOT NULL
GROUP BY account_id, login, account_type, mail
ORDER BY account_id, login, account_type, mail
