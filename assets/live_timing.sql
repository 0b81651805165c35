-- What the live run of this very block measured.
SELECT seen_at, finished_at
FROM block_runs FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String}) AND live
