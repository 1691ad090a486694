-- One person's contributions in some repositories and a window, summed by day and by what decides their points or leaves them out.
SELECT
  repo_id,
  kind,
  CASE
    WHEN contributor_id IS NULL OR contributor_id != @contributor_id THEN 'credited_to_author'
    WHEN exclusion IS NOT NULL THEN exclusion
    WHEN superseded_at < @end_at THEN 'closed_again'
  END AS reason,
  DATE_DIFF(DATE(@end_at), DATE(occurred_at), DAY) AS age_days,
  self_merged,
  pr_size,
  COUNT(*) AS events,
  SUM(quantity) AS quantity,
  SUM(copies - 1) AS extra_copies
FROM contributions
WHERE
  repo_id IN UNNEST(@repo_ids)
  AND occurred_at >= @start_at
  AND occurred_at < @end_at
  AND (
    contributor_id = @contributor_id
    OR (
      actor_id = @contributor_id
      AND kind = 'PR_MERGED'
      AND COALESCE(exclusion, '') != 'repeated'
    )
  )
GROUP BY repo_id, kind, reason, age_days, self_merged, pr_size
ORDER BY repo_id, kind, reason, age_days, self_merged, pr_size
