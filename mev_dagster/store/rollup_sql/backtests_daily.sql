SELECT
    kind,
    uniqExact(first_block_number) AS blocks,
    sum(backtests.true_positives) AS true_positives,
    sum(backtests.false_positives) AS false_positives,
    sum(backtests.false_negatives) AS false_negatives,
    if(true_positives + false_positives = 0, NULL, true_positives / (true_positives + false_positives)) AS precision,
    if(true_positives + false_negatives = 0, NULL, true_positives / (true_positives + false_negatives)) AS recall,
    sum(backtests.pnl_wei) AS pnl_wei,
    max(backtests.synthetic) AS synthetic
FROM backtests FINAL
WHERE first_block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND first_block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
  AND first_block_number = last_block_number
  AND source = 'block'
GROUP BY kind
ORDER BY kind
