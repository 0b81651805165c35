-- Blocks we built and sealed from the ranked candidates.
CREATE TABLE IF NOT EXISTS block_templates
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of the sealed header',
    parent_hash FixedString(32) COMMENT 'parent it builds on',
    coinbase FixedString(20) COMMENT 'fee recipient of the builder',
    proposer_fee_recipient FixedString(20) COMMENT 'who receives the bid',
    gas_limit UInt64 COMMENT 'gas limit',
    gas_used UInt64 COMMENT 'gas used',
    base_fee_per_gas_wei UInt256 COMMENT 'base fee',
    tx_hashes Array(FixedString(32)) COMMENT 'transactions in order' CODEC(ZSTD(1)),
    opportunity_ids Array(FixedString(32)) COMMENT 'candidates that were included, in order',
    value_wei UInt256 COMMENT 'bid paid to the proposer',
    profit_wei Int256 COMMENT 'what remains for the builder',
    state_root FixedString(32) COMMENT 'state root; zeros where state_root_known is false',
    state_root_known Bool COMMENT 'false when the prestate was not complete enough for an exact root',
    transactions_root FixedString(32) COMMENT 'root of the transactions',
    receipts_root FixedString(32) COMMENT 'root of the receipts',
    detail String DEFAULT '' COMMENT 'what was left out and why, as JSON' CODEC(ZSTD(1)),
    trace_id Nullable(FixedString(16)) COMMENT 'W3C trace of the run that made the row, volatile',
    computed_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when the row was computed, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
