-- What became of each order at a block: every state it came into, with the reason.
CREATE TABLE IF NOT EXISTS order_events
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    order_id FixedString(32) COMMENT 'id of the order: a candidate, a bundle, or a transaction by its hash',
    step UInt32 COMMENT 'place of the row among those of the block' CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'candidate, pending, bundle or share_bundle; empty where only its id is known',
    state LowCardinality(String) COMMENT 'received, refused, replaced, cancelled, included, dropped or expired',
    reason LowCardinality(String) DEFAULT '' COMMENT 'stable short code, empty where none',
    detail String DEFAULT '' COMMENT 'what exactly was found' CODEC(ZSTD(1)),
    value_wei Int256 DEFAULT 0 COMMENT 'what it pays the coinbase where it is included',
    gas_used UInt64 DEFAULT 0 COMMENT 'gas it uses where it is included',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, order_id, step)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
