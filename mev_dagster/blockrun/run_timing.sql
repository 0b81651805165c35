-- What the run that searched this very block first, or live, measured.
SELECT seen_at, finished_at, live
FROM block_runs FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String})
