-- Windows of the newest log, before the newest one whose block has been searched, whose own block has not;
-- of the newest blocks only, as many as keep a partition key.
WITH (SELECT argMax(log_id, stored_at) FROM writer_progress) AS newest_log
SELECT log_id, seq, block_number, block_hash
FROM ingest_windows FINAL
WHERE block_number >= (SELECT max(block_number) - least(max(block_number), {kept:UInt64}) FROM ingest_windows)
  AND NOT superseded
  AND log_id = newest_log
  AND stored_at < now64(9) - INTERVAL {seconds:UInt32} SECOND
  AND (block_number, block_hash) NOT IN (SELECT block_number, block_hash FROM block_runs FINAL)
  AND seq < (
      SELECT max(seq)
      FROM ingest_windows FINAL
      WHERE log_id = newest_log
        AND (block_number, block_hash) IN (SELECT block_number, block_hash FROM block_runs FINAL)
  )
ORDER BY seq
LIMIT {limit:UInt32}
