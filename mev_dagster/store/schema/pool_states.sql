-- Reserves and prices of a pool in the parent state of a block.
CREATE TABLE IF NOT EXISTS pool_states
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    pool FixedString(20) COMMENT 'contract of the pool' CODEC(ZSTD(1)),
    reserve0 Nullable(UInt256) COMMENT 'reserve of the lower token; null for concentrated liquidity',
    reserve1 Nullable(UInt256) COMMENT 'reserve of the higher token; null for concentrated liquidity',
    sqrt_price_x96 Nullable(UInt256) COMMENT 'square-root price; null for constant product',
    liquidity Nullable(UInt256) COMMENT 'active liquidity; null for constant product',
    tick Nullable(Int32) COMMENT 'current tick; null for constant product',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, pool)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
