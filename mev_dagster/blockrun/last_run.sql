-- The newest window of the newest log whose block has been searched.
SELECT log_id, max(seq)
FROM ingest_windows FINAL
WHERE log_id = (SELECT argMax(log_id, stored_at) FROM writer_progress)
  AND (block_number, block_hash) IN (SELECT block_number, block_hash FROM block_runs FINAL)
GROUP BY log_id
