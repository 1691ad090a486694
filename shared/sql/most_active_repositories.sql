-- The repositories in which most accounts did something. Accounts that GitHub marks as bots by name count as nobody.
SELECT
  repo_id,
  COUNT(DISTINCT actor_id) AS people,
  COUNT(*) AS events
FROM events
WHERE repo_name IS NOT NULL AND NOT ENDS_WITH(LOWER(actor_login), '[bot]')
GROUP BY repo_id
ORDER BY people DESC, events DESC, repo_id
LIMIT @top
