-- The token that wraps ether in a block, if its labels are stored.
SELECT wrapped_ether
FROM label_runs FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String})
