-- What the sources told of some accounts, oldest first, a stretch at a time.
WITH mine AS (
  SELECT 'archive' AS source, * FROM events
  WHERE actor_id IN UNNEST(@account_ids) OR author_id IN UNNEST(@account_ids)
  UNION ALL
  SELECT 'github' AS source, * EXCEPT (observed_at, parents, author_mail, co_authors, assignees)
  FROM github_events
  WHERE
    actor_id IN UNNEST(@account_ids)
    OR author_id IN UNNEST(@account_ids)
    OR EXISTS (
      SELECT 1
      FROM UNNEST(JSON_QUERY_ARRAY(co_authors, '$')) AS p
      WHERE SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) IN UNNEST(@account_ids)
    )
    OR EXISTS (
      SELECT 1
      FROM UNNEST(JSON_QUERY_ARRAY(assignees, '$')) AS p
      WHERE SAFE_CAST(JSON_VALUE(p, '$.id') AS INT64) IN UNNEST(@account_ids)
    )
)

SELECT *
FROM mine
ORDER BY created_at, repo_id, source, event_id, event_type
LIMIT @top OFFSET @skipped
