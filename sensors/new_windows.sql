-- Windows closed after the cursor, oldest first; a cursor of another log starts this log from its beginning.
SELECT log_id, seq, block_number, block_hash
FROM ingest_windows FINAL
WHERE NOT superseded
  AND log_id = (SELECT argMax(log_id, stored_at) FROM ingest_windows)
  AND (log_id != {log_id:String} OR seq > {seq:Int64})
ORDER BY seq
LIMIT {limit:UInt32}
