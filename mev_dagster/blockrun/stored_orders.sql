-- Messages that may enter a block, or change what may, as they had arrived when it was built.
SELECT
    order_id,
    toUnixTimestamp64Nano(received_at) AS received_ns,
    arrival,
    method,
    signer,
    params,
    first_block,
    last_block
FROM orders FINAL
WHERE last_block >= {number:UInt64} AND first_block <= {furthest:UInt64}
  AND received_at <= fromUnixTimestamp64Nano({at_ns:Int64}, 'UTC')
ORDER BY received_at, arrival, order_id
LIMIT {limit:UInt32}
