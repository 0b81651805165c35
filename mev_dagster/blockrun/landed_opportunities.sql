-- What was taken in a block, by the kind a search calls it, else by the label's own, in the order of its labels.
SELECT if(JSONExtractString(detail, 'opportunity') = '', kind, JSONExtractString(detail, 'opportunity')) AS opportunity, victim_hashes, venues, tx_hashes, profit_tokens, profit_amounts
FROM mev_labels FINAL
WHERE block_number = {number:UInt64} AND block_hash = unhex({hash:String})
  AND kind NOT IN ('cex_dex', 'failed_arbitrage', 'suspect')
ORDER BY kind, position
