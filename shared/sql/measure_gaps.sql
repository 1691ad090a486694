-- What is known to be missing in a repository's contributions, per window: the holes within what was captured.
WITH windows AS (
  SELECT
    JSON_VALUE(w, '$.name') AS window_name,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.start') AS INT64)) AS start_at,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.end') AS INT64)) AS end_at
  FROM UNNEST(JSON_QUERY_ARRAY(@windows, '$')) AS w
)

SELECT
  w.window_name,
  COUNTIF(c.exclusion IS NULL) AS counted,
  COUNT(DISTINCT IF(c.kind = 'COMMIT' AND c.exclusion = 'commits_unknown', c.subject, NULL))
    AS pushes_without_commits,
  COUNT(DISTINCT IF(c.kind = 'COMMIT' AND c.source = 'archive', c.subject, NULL)) AS pushes,
  COUNT(DISTINCT IF(c.kind = 'PR_MERGED' AND c.exclusion = 'author_unknown', c.subject, NULL))
    AS merges_unattributed,
  COUNT(DISTINCT IF(c.kind = 'PR_MERGED', c.subject, NULL)) AS merges,
  COUNT(
    DISTINCT IF(
      c.kind = 'PR_MERGED' AND c.pr_size IS NULL AND c.exclusion IS NULL, c.subject, NULL
    )
  ) AS merges_without_lines,
  COUNT(DISTINCT IF(c.exclusion = 'author_unlinked', c.subject, NULL)) AS commits_unlinked,
  COUNT(
    DISTINCT IF(
      c.kind = 'COMMIT' AND c.source = 'github' AND COALESCE(c.exclusion, '') != 'merge_commit',
      c.subject,
      NULL
    )
  ) AS commits,
  COUNT(
    DISTINCT IF(
      c.exclusion = 'account_deleted' AND c.kind NOT IN ('LINES_ADDED', 'LINES_DELETED'),
      CONCAT(c.kind, ' ', c.subject),
      NULL
    )
  ) AS accounts_deleted,
  COUNT(
    DISTINCT IF(
      c.source = 'github' AND c.kind NOT IN ('COMMIT', 'LINES_ADDED', 'LINES_DELETED'),
      CONCAT(c.kind, ' ', c.subject),
      NULL
    )
  ) AS told
FROM contributions AS c
INNER JOIN windows AS w ON c.occurred_at >= w.start_at AND c.occurred_at < w.end_at
WHERE c.repo_id = @repo_id
GROUP BY w.window_name
ORDER BY w.window_name
