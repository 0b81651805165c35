-- How many blocks of a window have a window of the log that no reorg replaced.
SELECT uniqExact(block_number)
FROM ingest_windows FINAL
WHERE NOT superseded
  AND block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
