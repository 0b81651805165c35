-- How many transactions the canonical blocks first to last hold.
SELECT sum(tx_count)
FROM blocks FINAL
WHERE block_number BETWEEN {first:UInt64} AND {last:UInt64}
  AND (block_number, block_hash) IN (
      SELECT block_number, block_hash
      FROM ingest_windows FINAL
      WHERE block_number BETWEEN {first:UInt64} AND {last:UInt64} AND NOT superseded
  )
