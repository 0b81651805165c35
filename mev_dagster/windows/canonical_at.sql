-- The blocks that the store calls canonical at these heights.
SELECT block_number, block_hash, log_id, seq, seen_at
FROM blocks FINAL
WHERE canonical AND block_number IN {numbers:Array(UInt64)}
