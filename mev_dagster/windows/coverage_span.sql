-- What the canonical windows of a range of blocks, closed in a span of time, are.
SELECT
    min(block_number) AS first_block,
    max(block_number) AS last_block,
    min(toUnixTimestamp64Nano(opened_at)) AS opened_ns,
    max(toUnixTimestamp64Nano(closed_at)) AS closed_ns,
    uniqExact(block_number) AS blocks,
    max(synthetic) AS any_synthetic
FROM ingest_windows FINAL
WHERE block_number BETWEEN {first:UInt64} AND {last:UInt64}
  AND closed_at >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND closed_at < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
  AND NOT superseded
HAVING count() > 0
