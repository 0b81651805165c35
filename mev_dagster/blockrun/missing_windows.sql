-- Stretches of block numbers between two stored windows of the newest log that have none, oldest first; of
-- the newest blocks only, as many as keep a partition key.
SELECT previous + 1, block_number - 1
FROM (
    SELECT block_number, lagInFrame(block_number, 1, block_number) OVER (ORDER BY block_number) AS previous
    FROM (
        SELECT DISTINCT block_number
        FROM ingest_windows FINAL
        WHERE block_number >= (SELECT max(block_number) - least(max(block_number), {kept:UInt64}) FROM ingest_windows)
          AND NOT superseded
          AND log_id = (SELECT argMax(log_id, stored_at) FROM writer_progress)
    )
)
WHERE block_number > previous + 1
ORDER BY block_number
LIMIT {limit:UInt32}
