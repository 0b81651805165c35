-- Blocks whose windows were open at some time of an interval, newest first.
SELECT block_number, count() OVER () AS total
FROM (
    SELECT DISTINCT block_number
    FROM ingest_windows FINAL
    WHERE NOT superseded
      AND closed_at >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
      AND opened_at <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
)
ORDER BY block_number DESC
LIMIT {limit:UInt32}
