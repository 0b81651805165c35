-- Which of these blocks have a window, newest first.
SELECT block_number, count() OVER () AS total
FROM (
    SELECT DISTINCT block_number
    FROM ingest_windows FINAL
    WHERE NOT superseded AND block_number IN {numbers:Array(UInt64)}
)
ORDER BY block_number DESC
LIMIT {limit:UInt32}
