-- Alerts about blocks that nothing has mended yet, behind a place, the oldest first.
SELECT alert_id, name, labels, toUnixTimestamp64Nano(received_at) AS received_ns, block_numbers
FROM alerts FINAL
WHERE resolved_at IS NULL AND notEmpty(block_numbers) AND received_ns > {after_ns:Int64}
ORDER BY received_ns, alert_id
LIMIT {limit:UInt32}
