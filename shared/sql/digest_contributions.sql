-- The fingerprint of a repository's facts, a month and kind a row: what receipts are made of. Repeated events and extra copies leave it unchanged.
WITH facts AS (
  SELECT
    kind,
    EXTRACT(YEAR FROM occurred_at) * 100 + EXTRACT(MONTH FROM occurred_at) AS month,
    CONCAT(
      subject,
      '|', COALESCE(CAST(contributor_id AS STRING), ''),
      '|', COALESCE(CAST(actor_id AS STRING), ''),
      '|', CAST(UNIX_MICROS(occurred_at) AS STRING),
      '|', COALESCE(CAST(quantity AS STRING), ''),
      '|', COALESCE(exclusion, ''),
      '|', COALESCE(CAST(UNIX_MICROS(superseded_at) AS STRING), ''),
      '|', COALESCE(CAST(pr_size AS STRING), ''),
      '|', event_id
    ) AS line
  FROM contributions
  WHERE repo_id = @repo_id AND COALESCE(exclusion, '') != 'repeated'
)

SELECT
  kind,
  month,
  COUNT(*) AS facts,
  TO_HEX(SHA256(STRING_AGG(line, '\n' ORDER BY line))) AS digest
FROM facts
GROUP BY kind, month
ORDER BY kind, month
