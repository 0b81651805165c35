-- Blocks of a range that have a window, and whether their result is stored.
SELECT block_number, max((block_number, block_hash) IN (SELECT block_number, block_hash FROM block_runs FINAL))
FROM ingest_windows FINAL
WHERE NOT superseded AND block_number BETWEEN {first:UInt64} AND {last:UInt64}
GROUP BY block_number
ORDER BY block_number
