-- Ranked candidates of a block, each verified by execution or marked as not.
CREATE TABLE IF NOT EXISTS opportunities
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    rank UInt32 COMMENT '0 is the best of the block',
    opportunity_id FixedString(32) COMMENT 'SHA-256 of the canonical inputs of the decision',
    parent_hash FixedString(32) COMMENT 'block on whose state the candidate was found',
    kind LowCardinality(String) COMMENT 'backrun, arbitrage, sandwich and so on',
    strategy LowCardinality(String) DEFAULT '' COMMENT 'strategy and version that found it',
    tx_hashes Array(FixedString(32)) COMMENT 'transactions in order of execution, victims included',
    victim_hashes Array(FixedString(32)) DEFAULT [] COMMENT 'pending transactions the candidate builds on',
    venues Array(FixedString(20)) COMMENT 'pools along the route',
    tokens Array(FixedString(20)) DEFAULT [] COMMENT 'tokens along the route',
    size_wei UInt256 COMMENT 'input amount',
    expected_profit_wei Int256 COMMENT 'profit by the closed form, before gas',
    simulated_profit_wei Nullable(Int256) COMMENT 'profit by execution, after gas; null when not executed',
    gas_used UInt64 COMMENT 'gas of our own transactions; 0 when not executed',
    coinbase_payment_wei Int256 DEFAULT 0 COMMENT 'what the coinbase gains; 0 when not executed',
    verified Bool COMMENT 'true when execution confirmed the profit',
    detail String DEFAULT '' COMMENT 'why it was not verified, or notes, as JSON' CODEC(ZSTD(1)),
    trace_id Nullable(FixedString(16)) COMMENT 'W3C trace of the run that made the row, volatile',
    computed_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when the row was computed, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1)),
    INDEX by_id opportunity_id TYPE bloom_filter(0.001)
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, rank, opportunity_id)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
