-- The events behind one person's contributions, newest first, a limited number per kind and reason.
WITH mine AS (
  SELECT
    repo_id,
    kind,
    CASE
      WHEN contributor_id IS NULL OR contributor_id != @contributor_id THEN 'credited_to_author'
      WHEN exclusion IS NOT NULL THEN exclusion
      WHEN superseded_at < @end_at THEN 'closed_again'
    END AS reason,
    occurred_at,
    event_id,
    event_type,
    subject,
    quantity,
    number,
    object_id,
    ref,
    head,
    copies,
    contributor_login,
    source,
    agent_login,
    human_login
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
)

SELECT *
FROM mine
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY kind, reason ORDER BY occurred_at DESC, event_id DESC, subject
) <= @per_kind
ORDER BY kind, reason, occurred_at DESC, event_id DESC, subject
