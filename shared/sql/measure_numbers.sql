-- How much of GitHub the archive saw, per repository and month: numbers of pull requests and issues, and pushes that do not say their commits.
WITH told AS (
  SELECT
    repo_id,
    EXTRACT(YEAR FROM created_at) * 100 + EXTRACT(MONTH FROM created_at) AS month,
    number
  FROM github_events
  WHERE repo_id IN UNNEST(@repo_ids) AND number IS NOT NULL
  GROUP BY repo_id, month, number
),

seen AS (
  SELECT
    repo_id,
    EXTRACT(YEAR FROM created_at) * 100 + EXTRACT(MONTH FROM created_at) AS month,
    number
  FROM events
  WHERE repo_id IN UNNEST(@repo_ids) AND number IS NOT NULL
  GROUP BY repo_id, month, number
),

pushes AS (
  SELECT
    repo_id,
    COALESCE(CAST(object_id AS STRING), CONCAT('event ', event_id)) AS push,
    MIN(created_at) AS pushed_at,
    MAX(COALESCE(push_distinct_size, push_listed_distinct)) IS NULL AS is_unknown
  FROM events
  WHERE repo_id IN UNNEST(@repo_ids) AND event_type = 'PushEvent'
  GROUP BY repo_id, push
),

found AS (
  SELECT
    t.repo_id,
    t.month,
    1 AS numbers,
    IF(s.number IS NULL, 0, 1) AS seen,
    0 AS pushes,
    0 AS pushes_unknown
  FROM told AS t
  LEFT JOIN seen AS s ON s.repo_id = t.repo_id AND s.month = t.month AND s.number = t.number
  UNION ALL
  SELECT
    repo_id,
    EXTRACT(YEAR FROM pushed_at) * 100 + EXTRACT(MONTH FROM pushed_at) AS month,
    0 AS numbers,
    0 AS seen,
    1 AS pushes,
    IF(is_unknown, 1, 0) AS pushes_unknown
  FROM pushes
)

SELECT
  repo_id,
  month,
  SUM(numbers) AS numbers,
  SUM(seen) AS seen,
  SUM(pushes) AS pushes,
  SUM(pushes_unknown) AS pushes_unknown
FROM found
GROUP BY repo_id, month
ORDER BY repo_id, month
