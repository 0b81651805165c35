-- The hour of the newest searched block, its last block, when its results were last written, and when it was
-- last rolled up.
WITH (SELECT max(block_time) FROM block_runs) AS newest
SELECT
    toUnixTimestamp(toStartOfHour(newest)) AS hour,
    (SELECT max(block_number) FROM block_runs WHERE block_time = newest) AS last_block,
    (SELECT toUnixTimestamp64Nano(max(finished_at)) FROM block_runs
        WHERE block_time >= toStartOfHour(newest)) AS searched_ns,
    (SELECT toUnixTimestamp64Nano(max(stored_at)) FROM coverage_hourly
        WHERE coverage_hourly.hour = toStartOfHour(newest)) AS rolled_up_ns
WHERE (SELECT count() FROM block_runs) > 0
