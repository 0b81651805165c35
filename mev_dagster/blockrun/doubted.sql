-- Candidates of a block that the reference has disproved, when they were found or when a block was built.
SELECT opportunity_id
FROM opportunities FINAL
WHERE block_number = {number:UInt64} AND parent_hash = unhex({parent:String}) AND NOT verified
    AND JSONExtractString(detail, 'reason') = {reason:String}
ORDER BY opportunity_id
