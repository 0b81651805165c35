-- Registry of trading pools; one row a pool for ever, so it has neither days nor a tier.
CREATE TABLE IF NOT EXISTS pools
(
    pool FixedString(20) COMMENT 'contract of the pool',
    protocol LowCardinality(String) COMMENT 'venue type, such as uniswap_v2',
    factory Nullable(FixedString(20)) COMMENT 'factory that made it; null when unknown',
    token0 FixedString(20) COMMENT 'lower token',
    token1 FixedString(20) COMMENT 'higher token',
    fee_ppm UInt32 COMMENT 'swap fee in parts per million',
    tick_spacing Nullable(Int32) COMMENT 'tick spacing of concentrated liquidity; null elsewhere',
    code_hash FixedString(32) COMMENT 'keccak of the runtime code',
    first_block_number UInt64 COMMENT 'first block in which the pool was seen',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY pool
