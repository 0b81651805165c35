SELECT
    kind,
    uniqExact(block_number) AS blocks,
    count() AS labels,
    sum(ifNull(mev_labels.net_wei, 0)) AS net_wei
FROM mev_labels FINAL
WHERE block_time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')
  AND block_time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')
GROUP BY kind
ORDER BY kind
