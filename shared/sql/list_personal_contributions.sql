-- The contributions of some accounts, and what they did for another's, oldest first, a stretch at a time.
SELECT *
FROM contributions
WHERE contributor_id IN UNNEST(@account_ids) OR actor_id IN UNNEST(@account_ids)
ORDER BY occurred_at, repo_id, kind, subject, event_id
LIMIT @top OFFSET @skipped
