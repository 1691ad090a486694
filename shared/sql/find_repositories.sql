-- The ids that names stand for: of several repositories that bore a name, the one that bears it last.
SELECT
  LOWER(repo_name) AS name,
  repo_id,
  MAX(created_at) AS seen_at
FROM events
WHERE LOWER(repo_name) IN UNNEST(@names)
GROUP BY name, repo_id
QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY seen_at DESC, repo_id DESC) = 1
ORDER BY name
