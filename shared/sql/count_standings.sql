-- Counts and score of every contributor in some repositories and windows, by one rule set. Points and caps: docs/scoring.md.
WITH windows AS (
  SELECT
    JSON_VALUE(w, '$.name') AS window_name,
    -- An open start is the beginning of time, so that one comparison serves all windows.
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.start') AS INT64)) AS start_at,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(w, '$.end') AS INT64)) AS end_at
  FROM UNNEST(JSON_QUERY_ARRAY(@windows, '$')) AS w
),

rules AS (
  SELECT
    JSON_VALUE(r, '$.kind') AS kind,
    CAST(JSON_VALUE(r, '$.points') AS INT64) AS points,
    CAST(JSON_VALUE(r, '$.daily_cap') AS INT64) AS daily_cap,
    JSON_VALUE(r, '$.cap_group') AS cap_group,
    CAST(JSON_VALUE(r, '$.cap') AS INT64) AS cap,
    CAST(JSON_VALUE(r, '$.minimum_size') AS INT64) AS minimum_size,
    CAST(JSON_VALUE(r, '$.self_factor') AS INT64) AS self_factor
  FROM UNNEST(JSON_QUERY_ARRAY(@rule_set, '$.kinds')) AS r
),

decay AS (
  SELECT
    CAST(JSON_VALUE(d, '$.from_days') AS INT64) AS from_days,
    CAST(JSON_VALUE(d, '$.until_days') AS INT64) AS until_days,
    CAST(JSON_VALUE(d, '$.factor') AS INT64) AS factor
  FROM UNNEST(JSON_QUERY_ARRAY(@rule_set, '$.decay')) AS d
),

counted AS (
  SELECT
    w.window_name,
    w.end_at,
    c.repo_id,
    c.contributor_id,
    c.kind,
    c.occurred_at,
    c.quantity,
    COALESCE(c.self_merged, FALSE) AS self_merged,
    c.pr_size
  FROM contributions AS c
  INNER JOIN windows AS w
    ON c.occurred_at >= w.start_at AND c.occurred_at < w.end_at
  WHERE
    c.repo_id IN UNNEST(@repo_ids)
    AND c.exclusion IS NULL
    AND (c.superseded_at IS NULL OR c.superseded_at >= w.end_at)
),

daily AS (
  SELECT
    c.window_name,
    c.repo_id,
    c.contributor_id,
    c.kind,
    DATE_DIFF(DATE(c.end_at), DATE(c.occurred_at), DAY) AS age_days,
    SUM(c.quantity) AS quantity,
    -- What a minimum size leaves out earns nothing; what one merged oneself is counted apart.
    SUM(IF(COALESCE(c.pr_size < r.minimum_size, FALSE) OR c.self_merged, 0, c.quantity)) AS plain,
    SUM(IF(COALESCE(c.pr_size < r.minimum_size, FALSE) OR NOT c.self_merged, 0, c.quantity)) AS own,
    MIN(c.occurred_at) AS first_at,
    MAX(c.occurred_at) AS last_at
  FROM counted AS c
  INNER JOIN rules AS r ON r.kind = c.kind
  GROUP BY c.window_name, c.repo_id, c.contributor_id, c.kind, age_days
),

by_kind AS (
  SELECT
    d.window_name,
    d.repo_id,
    d.contributor_id,
    d.kind,
    r.cap_group,
    r.cap,
    SUM(d.quantity) AS quantity,
    -- Whole numbers throughout: millionths of a unit, cut to thousandths once, then to points once.
    DIV(
      DIV(
        SUM(
          (
            LEAST(d.plain, COALESCE(r.daily_cap, d.plain)) * 1000
            + LEAST(
              d.own,
              COALESCE(r.daily_cap, d.plain + d.own)
              - LEAST(d.plain, COALESCE(r.daily_cap, d.plain))
            ) * r.self_factor
          ) * COALESCE(y.factor, 1000)
        ),
        1000
      ) * r.points,
      1000
    ) AS points,
    MIN(d.first_at) AS first_at,
    MAX(d.last_at) AS last_at
  FROM daily AS d
  INNER JOIN rules AS r ON r.kind = d.kind
  LEFT JOIN decay AS y
    ON d.age_days >= y.from_days AND (y.until_days IS NULL OR d.age_days < y.until_days)
  GROUP BY d.window_name, d.repo_id, d.contributor_id, d.kind, r.cap_group, r.cap, r.points
),

capped AS (
  SELECT
    window_name,
    repo_id,
    contributor_id,
    LEAST(SUM(points), COALESCE(MIN(cap), SUM(points))) AS points
  FROM by_kind
  GROUP BY window_name, repo_id, contributor_id, cap_group
),

scores AS (
  SELECT window_name, repo_id, contributor_id, SUM(points) AS score
  FROM capped
  GROUP BY window_name, repo_id, contributor_id
),

counts AS (
  SELECT
    window_name,
    repo_id,
    contributor_id,
    MIN(first_at) AS first_at,
    MAX(last_at) AS last_at,
    SUM(IF(kind = 'COMMIT', quantity, 0)) AS commit,
    SUM(IF(kind = 'PR_OPENED', quantity, 0)) AS pr_opened,
    SUM(IF(kind = 'PR_MERGED', quantity, 0)) AS pr_merged,
    SUM(IF(kind = 'PR_REVIEWED', quantity, 0)) AS pr_reviewed,
    SUM(IF(kind = 'PR_REVIEW_COMMENT', quantity, 0)) AS pr_review_comment,
    SUM(IF(kind = 'ISSUE_OPENED', quantity, 0)) AS issue_opened,
    SUM(IF(kind = 'ISSUE_CLOSED', quantity, 0)) AS issue_closed,
    SUM(IF(kind = 'COMMENT', quantity, 0)) AS comment,
    SUM(IF(kind = 'RELEASE', quantity, 0)) AS release,
    SUM(IF(kind = 'LINES_ADDED', quantity, 0)) AS lines_added,
    SUM(IF(kind = 'LINES_DELETED', quantity, 0)) AS lines_deleted
  FROM by_kind
  GROUP BY window_name, repo_id, contributor_id
),

names AS (
  SELECT
    repo_id,
    contributor_id,
    contributor_login AS login,
    occurred_at AS login_seen_at
  FROM contributions
  WHERE repo_id IN UNNEST(@repo_ids) AND contributor_id IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, contributor_id
    ORDER BY contributor_login IS NULL, occurred_at DESC, event_id DESC, contributor_login
  ) = 1
),

-- One event that calls the account a bot settles it: people's accounts are never called that.
types AS (
  SELECT repo_id, contributor_id, MIN(contributor_type) AS account_type
  FROM contributions
  WHERE repo_id IN UNNEST(@repo_ids) AND contributor_id IS NOT NULL
  GROUP BY repo_id, contributor_id
)

SELECT
  c.window_name,
  c.repo_id,
  c.contributor_id,
  n.login,
  n.login_seen_at,
  t.account_type,
  c.first_at,
  c.last_at,
  c.commit,
  c.pr_opened,
  c.pr_merged,
  c.pr_reviewed,
  c.pr_review_comment,
  c.issue_opened,
  c.issue_closed,
  c.comment,
  c.release,
  c.lines_added,
  c.lines_deleted,
  s.score
FROM counts AS c
INNER JOIN scores AS s
  ON
    s.window_name = c.window_name
    AND s.repo_id = c.repo_id
    AND s.contributor_id = c.contributor_id
LEFT JOIN names AS n ON n.repo_id = c.repo_id AND n.contributor_id = c.contributor_id
LEFT JOIN types AS t ON t.repo_id = c.repo_id AND t.contributor_id = c.contributor_id
ORDER BY c.window_name, c.repo_id, c.contributor_id
