-- Everybody's counted contributions in some repositories and a window, summed by what any rule set may treat apart.
SELECT
  repo_id,
  contributor_id,
  kind,
  DATE_DIFF(DATE(@end_at), DATE(occurred_at), DAY) AS age_days,
  self_merged,
  pr_size,
  SUM(quantity) AS quantity
FROM contributions
WHERE
  repo_id IN UNNEST(@repo_ids)
  AND occurred_at >= @start_at
  AND occurred_at < @end_at
  AND exclusion IS NULL
  AND (superseded_at IS NULL OR superseded_at >= @end_at)
GROUP BY repo_id, contributor_id, kind, age_days, self_merged, pr_size
ORDER BY repo_id, contributor_id, kind, age_days, self_merged, pr_size
