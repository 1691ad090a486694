-- Contributions of some repositories from their events: credited, once each, or with the reason why not. The rules are docs/counting.md.
WITH people AS (
  SELECT
    CAST(JSON_VALUE(p, '$.account') AS INT64) AS account,
    CAST(JSON_VALUE(p, '$.person') AS INT64) AS person,
    JSON_VALUE(p, '$.login') AS login
  FROM UNNEST(JSON_QUERY_ARRAY(@people, '$')) AS p
),

-- Merged accounts are one person before any rule applies. Who is nobody is removed.
persons AS (
  SELECT
    e.* REPLACE (
      IF(actor.account IS NULL, e.actor_id, actor.person) AS actor_id,
      IF(actor.account IS NULL, e.actor_login, actor.login) AS actor_login,
      IF(author.account IS NULL, e.author_id, author.person) AS author_id,
      IF(author.account IS NULL, e.author_login, author.login) AS author_login
    )
  FROM events AS e
  LEFT JOIN people AS actor ON actor.account = e.actor_id
  LEFT JOIN people AS author ON author.account = e.author_id
  WHERE
    e.repo_id IN UNNEST(@repo_ids)
    AND (actor.account IS NULL OR actor.person IS NOT NULL)
    AND (author.account IS NULL OR author.person IS NOT NULL)
),

copies AS (
  SELECT
    e.*,
    COUNT(*) OVER (PARTITION BY repo_id, event_type, event_id, created_at) AS copies,
    -- How much a copy knows: where copies of one event differ, the fuller one wins.
    IF(author_id IS NULL, 0, 1) + IF(author_login IS NULL, 0, 1) + IF(author_type IS NULL, 0, 1)
      + IF(actor_type IS NULL, 0, 1) + IF(actor_login IS NULL, 0, 1) + IF(action IS NULL, 0, 1)
      + IF(number IS NULL, 0, 1) + IF(object_id IS NULL, 0, 1) + IF(merged IS NULL, 0, 1)
      + IF(additions IS NULL, 0, 1) + IF(deletions IS NULL, 0, 1)
      + IF(push_distinct_size IS NULL, 0, 1) + IF(push_listed_distinct IS NULL, 0, 1)
      + IF(review_state IS NULL, 0, 1) + IF(ref IS NULL, 0, 1) + IF(head IS NULL, 0, 1) AS known
  FROM persons AS e
),

-- Every column that a rule reads takes part in the order, so that ties do not depend on the input's.
once AS (
  SELECT *
  FROM copies
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, event_type, event_id, created_at
    ORDER BY
      known DESC, actor_id, action, number, object_id, author_id, merged DESC, additions DESC,
      deletions DESC, push_distinct_size DESC, push_listed_distinct DESC, actor_login,
      author_login, actor_type, author_type, ref, head
  ) = 1
),

namings AS (
  SELECT
    repo_id,
    number,
    created_at,
    event_id,
    author_id IS NOT NULL AS is_named,
    IF(author_id IS NULL, actor_id, author_id) AS author_id,
    IF(author_id IS NULL, actor_login, author_login) AS author_login,
    IF(author_id IS NULL, actor_type, author_type) AS author_type
  FROM once
  WHERE
    number IS NOT NULL
    AND (
      author_id IS NOT NULL
      OR (action = 'opened' AND event_type IN ('IssuesEvent', 'PullRequestEvent'))
    )
),

authors AS (
  SELECT *
  FROM namings
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, number ORDER BY is_named DESC, created_at, event_id, author_id
  ) = 1
),

sizes AS (
  SELECT repo_id, number, additions + deletions AS pr_size
  FROM once
  WHERE
    event_type = 'PullRequestEvent'
    AND number IS NOT NULL
    AND additions IS NOT NULL
    AND deletions IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, number ORDER BY created_at DESC, event_id DESC, additions, deletions
  ) = 1
),

recognised AS (
  SELECT
    o.*,
    CASE o.event_type
      WHEN 'PushEvent' THEN 'COMMIT'
      WHEN 'PullRequestEvent' THEN CASE
        WHEN o.action = 'opened' THEN 'PR_OPENED'
        WHEN o.action = 'merged' THEN 'PR_MERGED'
        WHEN o.action = 'closed' AND o.merged THEN 'PR_MERGED'
      END
      WHEN 'PullRequestReviewEvent' THEN
        IF(COALESCE(o.action, 'created') IN ('created', 'submitted'), 'PR_REVIEWED', NULL)
      WHEN 'PullRequestReviewCommentEvent' THEN
        IF(COALESCE(o.action, 'created') = 'created', 'PR_REVIEW_COMMENT', NULL)
      WHEN 'IssuesEvent' THEN CASE
        WHEN o.action = 'opened' THEN 'ISSUE_OPENED'
        WHEN o.action = 'closed' THEN 'ISSUE_CLOSED'
      END
      WHEN 'IssueCommentEvent' THEN
        IF(COALESCE(o.action, 'created') = 'created', 'COMMENT', NULL)
      WHEN 'CommitCommentEvent' THEN
        IF(COALESCE(o.action, 'created') = 'created', 'COMMENT', NULL)
      WHEN 'ReleaseEvent' THEN IF(o.action = 'published', 'RELEASE', NULL)
    END AS kind,
    a.author_id AS number_author_id,
    a.author_login AS number_author_login,
    a.author_type AS number_author_type,
    s.pr_size,
    IF(o.event_type = 'PushEvent', COALESCE(o.push_distinct_size, o.push_listed_distinct), 1)
      AS quantity
  FROM once AS o
  LEFT JOIN authors AS a ON a.repo_id = o.repo_id AND a.number = o.number
  LEFT JOIN sizes AS s ON s.repo_id = o.repo_id AND s.number = o.number
),

candidates AS (
  SELECT *
  FROM recognised
  WHERE kind IS NOT NULL
  UNION ALL
  SELECT * REPLACE ('LINES_ADDED' AS kind, additions AS quantity)
  FROM recognised
  WHERE kind = 'PR_MERGED' AND additions IS NOT NULL AND additions != 0
  UNION ALL
  SELECT * REPLACE ('LINES_DELETED' AS kind, deletions AS quantity)
  FROM recognised
  WHERE kind = 'PR_MERGED' AND deletions IS NOT NULL AND deletions != 0
),

credited AS (
  SELECT
    repo_id,
    kind,
    CASE
      WHEN kind IN ('COMMIT', 'PR_REVIEWED', 'PR_REVIEW_COMMENT', 'RELEASE')
        THEN COALESCE(CAST(object_id AS STRING), CONCAT('event ', event_id))
      WHEN kind = 'COMMENT'
        THEN COALESCE(
          CONCAT(
            IF(event_type = 'CommitCommentEvent', 'commit ', 'issue '), CAST(object_id AS STRING)
          ),
          CONCAT('event ', event_id)
        )
      ELSE COALESCE(CAST(number AS STRING), CONCAT('event ', event_id))
    END AS subject,
    CASE
      WHEN kind IN ('PR_OPENED', 'ISSUE_OPENED') THEN COALESCE(author_id, actor_id)
      WHEN kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN COALESCE(number_author_id, author_id)
      ELSE actor_id
    END AS contributor_id,
    CASE
      WHEN kind IN ('PR_OPENED', 'ISSUE_OPENED')
        THEN IF(author_id IS NULL, actor_login, author_login)
      WHEN kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN IF(number_author_id IS NULL, author_login, number_author_login)
      ELSE actor_login
    END AS contributor_login,
    CASE
      WHEN kind IN ('PR_OPENED', 'ISSUE_OPENED')
        THEN IF(author_id IS NULL, actor_type, author_type)
      WHEN kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN IF(number_author_id IS NULL, author_type, number_author_type)
      ELSE actor_type
    END AS contributor_type,
    actor_id,
    actor_login,
    created_at AS occurred_at,
    quantity,
    CASE
      WHEN quantity < 0 OR quantity > 100000000 THEN 'implausible'
      WHEN kind = 'PR_REVIEWED' AND number_author_id = actor_id THEN 'own_pull_request'
      WHEN kind = 'COMMIT' AND quantity IS NULL THEN 'commits_unknown'
      WHEN kind = 'COMMIT' AND quantity = 0 THEN 'no_distinct_commits'
      WHEN
        kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        AND number_author_id IS NULL
        AND author_id IS NULL
        THEN 'author_unknown'
    END AS exclusion,
    pr_size,
    event_id,
    event_type,
    number,
    object_id,
    ref,
    head,
    copies
  FROM candidates
),

ordered AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY repo_id, kind, subject, exclusion IS NULL ORDER BY occurred_at, event_id
    ) AS occurrence,
    LEAD(occurred_at) OVER (
      PARTITION BY repo_id, kind, subject, exclusion IS NULL ORDER BY occurred_at, event_id
    ) AS next_at
  FROM credited
)

SELECT
  repo_id,
  kind,
  subject,
  contributor_id,
  contributor_login,
  contributor_type,
  actor_id,
  actor_login,
  occurred_at,
  quantity,
  IF(
    exclusion IS NULL AND kind != 'ISSUE_CLOSED' AND occurrence > 1, 'repeated', exclusion
  ) AS exclusion,
  IF(exclusion IS NULL AND kind = 'ISSUE_CLOSED', next_at, NULL) AS superseded_at,
  pr_size,
  kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED') AND contributor_id = actor_id AS self_merged,
  event_id,
  event_type,
  number,
  object_id,
  ref,
  head,
  copies,
  'archive' AS source
FROM ordered
ORDER BY repo_id, contributor_id, kind, occurred_at, event_id, subject
