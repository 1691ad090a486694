-- The standings of some repositories in one window, as they are stored.
SELECT *
FROM standings
WHERE window_name = @window AND repo_id IN UNNEST(@repo_ids)
ORDER BY repo_id, contributor_id
