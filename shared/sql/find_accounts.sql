-- The account that bears a login now: of several that bore it, the one that was seen with it last.
WITH bearers AS (
  SELECT actor_id AS account_id, actor_login AS login, created_at
  FROM events
  WHERE LOWER(actor_login) = @login
  UNION ALL
  SELECT author_id AS account_id, author_login AS login, created_at
  FROM events
  WHERE LOWER(author_login) = @login
  UNION ALL
  SELECT actor_id AS account_id, actor_login AS login, created_at
  FROM github_events
  WHERE LOWER(actor_login) = @login
  UNION ALL
  SELECT author_id AS account_id, author_login AS login, created_at
  FROM github_events
  WHERE LOWER(author_login) = @login
)

SELECT account_id, login, created_at AS seen_at
FROM bearers
WHERE account_id IS NOT NULL
QUALIFY ROW_NUMBER() OVER (ORDER BY created_at DESC, account_id DESC, login) = 1
