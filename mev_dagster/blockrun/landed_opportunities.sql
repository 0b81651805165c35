-- What was taken in a block that a search could have proposed, in the order of its labels.
SELECT JSONExtractString(detail, 'opportunity') AS opportunity, victim_hashes, venues, tx_hashes, profit_tokens, profit_amounts
FROM mev_labels FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String}) AND opportunity != ''
ORDER BY kind, position
