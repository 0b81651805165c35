-- Every canonical block of the log: its head's arrival, and its live run's end where there is one.
SELECT windows.block_number, windows.closed_at, runs.finished_at, runs.live
FROM (SELECT block_number, block_hash, closed_at FROM ingest_windows FINAL WHERE NOT superseded) AS windows
LEFT JOIN (SELECT block_number, block_hash, finished_at, live FROM block_runs FINAL WHERE live) AS runs
    ON windows.block_number = runs.block_number AND windows.block_hash = runs.block_hash
ORDER BY windows.block_number
