-- What searchers and wallets sent the builder: bundles, share bundles, private transactions and cancellations.
CREATE TABLE IF NOT EXISTS orders
(
    received_at DateTime64(9, 'UTC') COMMENT 'wall clock of the arrival' CODEC(Delta, ZSTD(1)),
    arrival UInt64 COMMENT 'how many had arrived before it at its entry, counted from 1' CODEC(Delta, ZSTD(1)),
    order_id FixedString(32) COMMENT 'id of the order; of a cancellation the keccak of its message',
    method LowCardinality(String) COMMENT 'JSON-RPC method it came by',
    signer Nullable(FixedString(20)) COMMENT 'address that signed the request; null where none did',
    params String COMMENT 'parameters as JSON' CODEC(ZSTD(3)),
    first_block UInt64 COMMENT 'first block it may enter, or has an effect on' CODEC(Delta, ZSTD(1)),
    last_block UInt64 COMMENT 'last block it may enter, or has an effect on' CODEC(Delta, ZSTD(1)),
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(received_at)
ORDER BY (received_at, arrival, order_id)
TTL toDateTime(stored_at) + INTERVAL {retention_days_sightings} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
