-- Contributions of some repositories from both sources' events: credited, once each, or with the reason why not. The rules are docs/counting.md.
WITH people AS (
  SELECT
    CAST(JSON_VALUE(p, '$.account') AS INT64) AS account,
    -- Nobody's id is 0: who was removed bears it until their rows are dropped.
    MAX(COALESCE(CAST(JSON_VALUE(p, '$.person') AS INT64), 0)) AS person,
    MAX(JSON_VALUE(p, '$.login')) AS login
  FROM UNNEST(JSON_QUERY_ARRAY(@people, '$')) AS p
  GROUP BY account
),

-- Spans of one repository and kind do not overlap.
spans AS (
  SELECT
    CAST(JSON_VALUE(s, '$.repo_id') AS INT64) AS repo_id,
    JSON_VALUE(s, '$.kind') AS kind,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(s, '$.from') AS INT64)) AS from_at,
    TIMESTAMP_MICROS(CAST(JSON_VALUE(s, '$.until') AS INT64)) AS until_at
  FROM UNNEST(JSON_QUERY_ARRAY(@sources, '$')) AS s
),

agents AS (
  SELECT
    JSON_VALUE(a, '$.mail') AS mail,
    CAST(JSON_VALUE(a, '$.id') AS INT64) AS id,
    JSON_VALUE(a, '$.login') AS login,
    COALESCE(JSON_VALUE(a, '$.class'), 'agent') = 'agent' AS is_agent
  FROM UNNEST(JSON_QUERY_ARRAY(@agents, '$')) AS a
),

agent_ids AS (
  SELECT id, MIN(login) AS login, MAX(IF(is_agent, 1, 0)) = 1 AS is_agent
  FROM agents
  WHERE id IS NOT NULL
  GROUP BY id
),

agent_mails AS (
  SELECT mail, MIN(id) AS id, MIN(login) AS login, MAX(IF(is_agent, 1, 0)) = 1 AS is_agent
  FROM agents
  WHERE mail IS NOT NULL
  GROUP BY mail
),

-- How much a copy knows: where copies of one event differ, the fuller one wins.
copies AS (
  SELECT
    e.*,
    IF(author_id IS NULL, 0, 1) + IF(author_login IS NULL, 0, 1) + IF(author_type IS NULL, 0, 1)
      + IF(actor_type IS NULL, 0, 1) + IF(actor_login IS NULL, 0, 1) + IF(action IS NULL, 0, 1)
      + IF(number IS NULL, 0, 1) + IF(object_id IS NULL, 0, 1) + IF(merged IS NULL, 0, 1)
      + IF(additions IS NULL, 0, 1) + IF(deletions IS NULL, 0, 1)
      + IF(push_distinct_size IS NULL, 0, 1) + IF(push_listed_distinct IS NULL, 0, 1)
      + IF(review_state IS NULL, 0, 1) + IF(ref IS NULL, 0, 1) + IF(head IS NULL, 0, 1) AS known
  FROM events AS e
  WHERE repo_id IN UNNEST(@repo_ids)
),

-- Every column that a rule reads takes part in the order, so that ties do not depend on the input's.
once AS (
  SELECT
    *,
    COUNT(*) OVER (same_event ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS copies
  FROM copies
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER same_event = 1
  WINDOW same_event AS (
    PARTITION BY repo_id, event_type, event_id, created_at
    ORDER BY
      known DESC, actor_id, action, number, object_id, author_id, merged DESC, additions DESC,
      deletions DESC, push_distinct_size DESC, push_listed_distinct DESC, actor_login,
      author_login, actor_type, author_type, ref, head
  )
),

-- GitHub may be asked again: what it said last holds.
told AS (
  SELECT *
  FROM github_events
  WHERE repo_id IN UNNEST(@repo_ids)
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, event_id
    ORDER BY
      observed_at DESC, created_at, event_type, actor_id, action, number, object_id, author_id,
      merged, additions, deletions, parents, actor_login, author_login, actor_type, author_type,
      ref, head, author_mail, co_authors, assignees
  ) = 1
),

happened AS (
  SELECT
    'archive' AS source,
    repo_id,
    event_id,
    event_type,
    created_at,
    actor_id,
    actor_login,
    actor_type,
    author_id,
    author_login,
    author_type,
    action,
    number,
    object_id,
    merged,
    additions,
    deletions,
    push_distinct_size,
    push_listed_distinct,
    ref,
    head,
    copies,
    CAST(NULL AS INT64) AS parents,
    CAST(NULL AS STRING) AS author_mail,
    CAST(NULL AS STRING) AS others
  FROM once
  UNION ALL
  SELECT
    'github' AS source,
    repo_id,
    event_id,
    event_type,
    created_at,
    actor_id,
    actor_login,
    actor_type,
    author_id,
    author_login,
    author_type,
    action,
    number,
    object_id,
    merged,
    additions,
    deletions,
    push_distinct_size,
    push_listed_distinct,
    ref,
    head,
    1 AS copies,
    parents,
    author_mail,
    IF(event_type = 'Commit', co_authors, assignees) AS others
  FROM told
),

-- Everybody under the id that counts, before any rule looks at it.
events_of_people AS (
  SELECT
    h.* REPLACE (
      COALESCE(a.person, h.actor_id) AS actor_id,
      IF(a.account IS NULL, h.actor_login, a.login) AS actor_login,
      IF(a.account IS NULL, h.actor_type, NULL) AS actor_type,
      COALESCE(w.person, h.author_id) AS author_id,
      IF(w.account IS NULL, h.author_login, w.login) AS author_login,
      IF(w.account IS NULL, h.author_type, NULL) AS author_type
    )
  FROM happened AS h
  LEFT JOIN people AS a ON a.account = h.actor_id
  LEFT JOIN people AS w ON w.account = h.author_id
),

-- Who wrote a number and how large it is may be known from either source: that counts nothing.
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
  FROM events_of_people
  WHERE
    number IS NOT NULL
    AND (
      author_id IS NOT NULL
      OR (
        actor_id IS NOT NULL
        AND action = 'opened'
        AND event_type IN ('IssuesEvent', 'PullRequestEvent')
      )
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
  SELECT
    repo_id,
    number,
    additions + deletions AS pr_size,
    -- GitHub's are of the merged pull request, the archive's of any moment of it.
    IF(source = 'github', additions, NULL) AS merged_additions,
    IF(source = 'github', deletions, NULL) AS merged_deletions
  FROM events_of_people
  WHERE
    event_type = 'PullRequestEvent'
    AND number IS NOT NULL
    AND additions IS NOT NULL
    AND deletions IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, number
    ORDER BY source DESC, created_at DESC, event_id DESC, additions, deletions
  ) = 1
),

recognised AS (
  SELECT
    o.* REPLACE (
      IF(o.additions IS NULL AND o.deletions IS NULL, s.merged_additions, o.additions)
        AS additions,
      IF(o.additions IS NULL AND o.deletions IS NULL, s.merged_deletions, o.deletions)
        AS deletions
    ),
    CASE o.event_type
      WHEN 'PushEvent' THEN 'COMMIT'
      WHEN 'Commit' THEN 'COMMIT'
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
  FROM events_of_people AS o
  LEFT JOIN authors AS a ON a.repo_id = o.repo_id AND a.number = o.number
  LEFT JOIN sizes AS s ON s.repo_id = o.repo_id AND s.number = o.number
),

subjects AS (
  SELECT
    *,
    CASE
      WHEN event_type = 'Commit' THEN COALESCE(head, CONCAT('event ', event_id))
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
    END AS subject
  FROM recognised
  WHERE kind IS NOT NULL
),

-- Whose a subject is that both have seen, GitHub's time says. Closes are many to a subject, and
-- commits and pushes never the same one: those go by their own times.
github_times AS (
  SELECT repo_id, kind, subject, MIN(created_at) AS decided_at
  FROM subjects
  WHERE source = 'github' AND kind NOT IN ('COMMIT', 'ISSUE_CLOSED')
  GROUP BY repo_id, kind, subject
),

timed AS (
  SELECT s.*, COALESCE(t.decided_at, s.created_at) AS decided_at
  FROM subjects AS s
  LEFT JOIN github_times AS t
    ON t.repo_id = s.repo_id AND t.kind = s.kind AND t.subject = s.subject
),

candidates AS (
  SELECT *
  FROM timed
  UNION ALL
  SELECT * REPLACE ('LINES_ADDED' AS kind, additions AS quantity)
  FROM timed
  WHERE kind = 'PR_MERGED' AND additions IS NOT NULL AND additions != 0
  UNION ALL
  SELECT * REPLACE ('LINES_DELETED' AS kind, deletions AS quantity)
  FROM timed
  WHERE kind = 'PR_MERGED' AND deletions IS NOT NULL AND deletions != 0
),

-- What agents may have had a hand in: commits by SHA, pull requests by number.
works AS (
  SELECT
    repo_id,
    event_type,
    IF(event_type = 'Commit', head, CAST(number AS STRING)) AS subject,
    IF(event_type = 'Commit' OR author_id IS NULL AND action = 'opened', actor_id, author_id)
      AS author_id,
    IF(event_type = 'Commit' OR author_id IS NULL AND action = 'opened', actor_login, author_login)
      AS author_login,
    author_mail,
    others
  FROM events_of_people
  WHERE source = 'github' AND event_type IN ('Commit', 'PullRequestEvent')
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY repo_id, event_type, IF(event_type = 'Commit', head, CAST(number AS STRING))
    ORDER BY others IS NULL, event_id DESC
  ) = 1
),

involved AS (
  SELECT
    w.repo_id,
    w.event_type,
    w.subject,
    place,
    COALESCE(p.person, CAST(JSON_VALUE(o, '$.id') AS INT64)) AS id,
    IF(p.account IS NULL, JSON_VALUE(o, '$.login'), p.login) AS login,
    JSON_VALUE(o, '$.type') AS type,
    JSON_VALUE(o, '$.mail') AS mail
  FROM works AS w
  CROSS JOIN UNNEST(JSON_QUERY_ARRAY(w.others, '$')) AS o WITH OFFSET AS place
  LEFT JOIN people AS p ON p.account = CAST(JSON_VALUE(o, '$.id') AS INT64)
),

involved_agents AS (
  SELECT
    i.repo_id,
    i.event_type,
    i.subject,
    COALESCE(i.id, m.id) AS id,
    COALESCE(i.login, m.login, a.login) AS login
  FROM involved AS i
  LEFT JOIN agent_ids AS a ON a.id = i.id
  LEFT JOIN agent_mails AS m ON m.mail = i.mail
  WHERE i.event_type = 'Commit' AND COALESCE(a.is_agent, m.is_agent, FALSE)
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY i.repo_id, i.event_type, i.subject ORDER BY i.place
  ) = 1
),

involved_humans AS (
  SELECT i.repo_id, i.event_type, i.subject, i.id, i.login
  FROM involved AS i
  LEFT JOIN agent_ids AS a ON a.id = i.id
  LEFT JOIN agent_mails AS m ON m.mail = i.mail
  WHERE i.id != 0 AND a.id IS NULL AND m.mail IS NULL AND COALESCE(i.type, 'User') = 'User'
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY i.repo_id, i.event_type, i.subject ORDER BY i.place
  ) = 1
),

-- An agent's own work has a human beside it; in a human's work an agent took part.
agency AS (
  SELECT
    w.repo_id,
    w.event_type = 'Commit' AS is_commit,
    w.subject,
    IF(a.is_agent OR m.is_agent, COALESCE(w.author_id, m.id), c.id) AS agent_id,
    IF(a.is_agent OR m.is_agent, COALESCE(w.author_login, m.login, a.login), c.login)
      AS agent_login,
    IF(a.is_agent OR m.is_agent, h.id, NULLIF(w.author_id, 0)) AS human_id,
    IF(a.is_agent OR m.is_agent, h.login, w.author_login) AS human_login
  FROM works AS w
  LEFT JOIN agent_ids AS a ON a.id = w.author_id
  LEFT JOIN agent_mails AS m ON m.mail = w.author_mail AND w.author_id IS NULL
  LEFT JOIN involved_agents AS c
    ON c.repo_id = w.repo_id AND c.event_type = w.event_type AND c.subject = w.subject
  LEFT JOIN involved_humans AS h
    ON h.repo_id = w.repo_id AND h.event_type = w.event_type AND h.subject = w.subject
  WHERE
    COALESCE(a.is_agent, m.is_agent, FALSE)
    -- A bot's commit is nobody's responsibility, whoever helped it.
    OR (a.id IS NULL AND m.mail IS NULL AND c.subject IS NOT NULL)
),

attributed AS (
  SELECT
    c.*,
    CASE
      WHEN c.kind IN ('PR_OPENED', 'ISSUE_OPENED')
        THEN COALESCE(c.author_id, c.actor_id, c.number_author_id)
      WHEN c.kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN COALESCE(c.number_author_id, c.author_id)
      ELSE c.actor_id
    END AS named_id,
    CASE
      WHEN c.kind IN ('PR_OPENED', 'ISSUE_OPENED')
        THEN CASE
          WHEN c.author_id IS NOT NULL THEN c.author_login
          WHEN c.actor_id IS NOT NULL THEN c.actor_login
          ELSE c.number_author_login
        END
      WHEN c.kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN IF(c.number_author_id IS NULL, c.author_login, c.number_author_login)
      ELSE c.actor_login
    END AS named_login,
    CASE
      WHEN c.kind IN ('PR_OPENED', 'ISSUE_OPENED')
        THEN CASE
          WHEN c.author_id IS NOT NULL THEN c.author_type
          WHEN c.actor_id IS NOT NULL THEN c.actor_type
          ELSE c.number_author_type
        END
      WHEN c.kind IN ('PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
        THEN IF(c.number_author_id IS NULL, c.author_type, c.number_author_type)
      ELSE c.actor_type
    END AS named_type,
    g.agent_id,
    g.agent_login,
    g.human_id,
    g.human_login,
    CASE
      WHEN @agent_credit = 'human' THEN g.human_id
      WHEN @agent_credit = 'agent' THEN g.agent_id
    END AS instead_id
  FROM candidates AS c
  LEFT JOIN spans AS s
    ON
      s.repo_id = c.repo_id
      AND s.kind = c.kind
      AND c.decided_at >= s.from_at
      AND c.decided_at < s.until_at
  LEFT JOIN agency AS g
    ON
      g.repo_id = c.repo_id
      AND g.subject = c.subject
      AND g.is_commit = (c.kind = 'COMMIT')
      AND c.kind IN ('COMMIT', 'PR_OPENED', 'PR_MERGED', 'LINES_ADDED', 'LINES_DELETED')
  WHERE c.source = IF(s.repo_id IS NULL, 'archive', 'github')
),

credited AS (
  SELECT
    repo_id,
    kind,
    subject,
    COALESCE(instead_id, named_id) AS contributor_id,
    CASE
      WHEN instead_id IS NULL THEN named_login
      WHEN @agent_credit = 'human' THEN human_login
      ELSE agent_login
    END AS contributor_login,
    IF(instead_id IS NULL OR instead_id = named_id, named_type, NULL) AS contributor_type,
    NULLIF(actor_id, 0) AS actor_id,
    actor_login,
    created_at AS occurred_at,
    quantity,
    CASE
      WHEN quantity < 0 OR quantity > 100000000 THEN 'implausible'
      WHEN kind = 'PR_REVIEWED' AND number_author_id = actor_id THEN 'own_pull_request'
      WHEN event_type = 'Commit' AND parents >= 2 THEN 'merge_commit'
      WHEN kind = 'COMMIT' AND quantity IS NULL THEN 'commits_unknown'
      WHEN kind = 'COMMIT' AND quantity = 0 THEN 'no_distinct_commits'
      WHEN named_id IS NULL AND instead_id IS NULL THEN
        CASE
          WHEN event_type = 'Commit' THEN 'author_unlinked'
          WHEN source = 'github' THEN 'account_deleted'
          ELSE 'author_unknown'
        END
    END AS exclusion,
    pr_size,
    event_id,
    event_type,
    number,
    object_id,
    ref,
    head,
    copies,
    source,
    agent_id,
    agent_login,
    human_id,
    human_login
  FROM attributed
  WHERE COALESCE(named_id, -1) != 0
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
  source,
  agent_id,
  agent_login,
  human_id,
  human_login
FROM ordered
ORDER BY repo_id, contributor_id, kind, occurred_at, event_id, subject
