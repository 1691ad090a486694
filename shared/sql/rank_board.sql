-- The rows of one board: standings summed over repositories, ranked within each class and over all.
WITH classes AS (
  SELECT
    CAST(JSON_VALUE(a, '$.id') AS INT64) AS account_id,
    JSON_VALUE(a, '$.class') AS class
  FROM UNNEST(JSON_QUERY_ARRAY(@classes, '$')) AS a
),

wanted AS (
  SELECT *
  FROM standings
  WHERE window_name = @window AND repo_id IN UNNEST(@repo_ids)
),

totals AS (
  SELECT
    contributor_id,
    COUNT(*) AS repositories,
    SUM(commit) AS commit,
    SUM(pr_opened) AS pr_opened,
    SUM(pr_merged) AS pr_merged,
    SUM(pr_reviewed) AS pr_reviewed,
    SUM(pr_review_comment) AS pr_review_comment,
    SUM(issue_opened) AS issue_opened,
    SUM(issue_closed) AS issue_closed,
    SUM(comment) AS comment,
    SUM(release) AS release,
    SUM(lines_added) AS lines_added,
    SUM(lines_deleted) AS lines_deleted,
    SUM(score) AS score,
    -- The latest name; the time leads the text (16 digits of microseconds), so the maximum is the
    -- latest and a tie falls to the name, whatever order the rows come in.
    SUBSTR(MAX(CONCAT(CAST(UNIX_MICROS(login_seen_at) AS STRING), ' ', login)), 18) AS login
  FROM wanted
  GROUP BY contributor_id
),

classed AS (
  SELECT t.*, COALESCE(c.class, 'human') AS class
  FROM totals AS t
  LEFT JOIN classes AS c ON c.account_id = t.contributor_id
)

SELECT
  *,
  ROW_NUMBER() OVER (PARTITION BY class ORDER BY score DESC, contributor_id) AS rank,
  -- Those with the same score share what lies at or below them: the total less those above.
  RANK() OVER (PARTITION BY class ORDER BY score DESC) - 1 AS above,
  ROW_NUMBER() OVER (ORDER BY score DESC, contributor_id) AS rank_all,
  RANK() OVER (ORDER BY score DESC) - 1 AS above_all
FROM classed
ORDER BY class, rank
