-- When the block was, if its opportunities are stored.
SELECT block_time
FROM block_runs FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String})
