-- The standings of some accounts in every repository and window, a stretch at a time.
SELECT *
FROM standings
WHERE contributor_id IN UNNEST(@account_ids)
ORDER BY repo_id, window_name, contributor_id
LIMIT @top OFFSET @skipped
