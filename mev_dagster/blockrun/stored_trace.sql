-- The trace under which the block's candidates were stored.
SELECT trace_id
FROM opportunities FINAL
WHERE block_number = {number:UInt64} AND trace_id IS NOT NULL
ORDER BY rank
LIMIT 1
