-- What repositories are called now: the name in the latest event of each.
SELECT repo_id, repo_name, created_at AS seen_at
FROM events
WHERE repo_id IN UNNEST(@repo_ids) AND repo_name IS NOT NULL
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY repo_id ORDER BY created_at DESC, event_id DESC, repo_name
) = 1
ORDER BY repo_id
