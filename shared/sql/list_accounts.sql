-- Every account on the boards of some repositories, with its latest name and GitHub's own word for its type.
SELECT
  contributor_id AS account_id,
  SUBSTR(MAX(CONCAT(CAST(UNIX_MICROS(login_seen_at) AS STRING), ' ', login)), 18) AS login,
  MIN(account_type) AS account_type,
  MAX(login_seen_at) AS login_seen_at
FROM standings
WHERE window_name = 'all' AND repo_id IN UNNEST(@repo_ids)
GROUP BY contributor_id
ORDER BY account_id
