-- Windows closed after the cursor, oldest first; a cursor of another log starts this log from its beginning.
-- The block number begins the sorting key: with it, days before the cursor are not even opened.
WITH (SELECT argMax(log_id, stored_at) FROM writer_progress) AS newest_log
SELECT log_id, seq, block_number, block_hash
FROM ingest_windows FINAL
WHERE NOT superseded
  AND log_id = newest_log
  AND (
      newest_log != {log_id:String}
      OR (seq > {seq:Int64} AND block_number >= {oldest:UInt64})
  )
ORDER BY seq
LIMIT {limit:UInt32}
