-- What a repository's boards count, by window, class of the contributor, month and kind. What counts is as in count_standings.sql.
WITH windows AS (
  SELECT
    JSON_VALUE(w, '$.name') AS window_name,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.start') AS INT64)) AS start_at,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.end') AS INT64)) AS end_at
  FROM UNNEST(JSON_QUERY_ARRAY(@windows, '$')) AS w
),

classes AS (
  SELECT
    CAST(JSON_VALUE(a, '$.id') AS INT64) AS account_id,
    JSON_VALUE(a, '$.class') AS class
  FROM UNNEST(JSON_QUERY_ARRAY(@classes, '$')) AS a
)

SELECT
  w.window_name,
  COALESCE(k.class, 'human') AS class,
  EXTRACT(YEAR FROM DATE(c.occurred_at)) * 100 + EXTRACT(MONTH FROM DATE(c.occurred_at)) AS month,
  c.kind,
  SUM(c.quantity) AS quantity
FROM contributions AS c
INNER JOIN windows AS w ON c.occurred_at >= w.start_at AND c.occurred_at < w.end_at
LEFT JOIN classes AS k ON k.account_id = c.contributor_id
WHERE
  c.repo_id = @repo_id
  AND c.exclusion IS NULL
  AND (c.superseded_at IS NULL OR c.superseded_at >= w.end_at)
GROUP BY w.window_name, class, month, c.kind
ORDER BY w.window_name, class, month, c.kind
