-- When this machine stored the window that a head closed.
SELECT max(stored_at)
FROM ingest_windows FINAL
WHERE block_number = {number:UInt64} AND log_id = {log_id:String} AND NOT superseded
HAVING count() > 0
