-- Windows of the newest log that were stored a while ago and whose block has no result, oldest first.
SELECT log_id, seq, block_number, block_hash
FROM ingest_windows FINAL
WHERE NOT superseded
  AND log_id = (SELECT argMax(log_id, stored_at) FROM ingest_windows)
  AND stored_at < now64(9) - INTERVAL {seconds:UInt32} SECOND
  AND (block_number, block_hash) NOT IN (SELECT block_number, block_hash FROM block_runs FINAL)
ORDER BY seq
LIMIT {limit:UInt32}
