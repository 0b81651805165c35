-- Headers of every block seen; canonical turns false when a reorg drops one.
CREATE TABLE IF NOT EXISTS blocks
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of the header',
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    parent_hash FixedString(32) COMMENT 'hash of the parent',
    uncles_hash FixedString(32) COMMENT 'hash of the uncle list' CODEC(ZSTD(1)),
    coinbase FixedString(20) COMMENT 'fee recipient',
    state_root FixedString(32) COMMENT 'state after the block',
    transactions_root FixedString(32) COMMENT 'root of the transactions',
    receipts_root FixedString(32) COMMENT 'root of the receipts',
    logs_bloom FixedString(256) COMMENT 'bloom of the logs' CODEC(ZSTD(1)),
    difficulty UInt256 COMMENT 'difficulty; zero after the merge' CODEC(ZSTD(1)),
    gas_limit UInt64 COMMENT 'gas limit',
    gas_used UInt64 COMMENT 'gas used',
    extra_data String COMMENT 'extra data of the builder, raw bytes',
    mix_hash FixedString(32) COMMENT 'mix hash; prev_randao after the merge',
    header_nonce FixedString(8) COMMENT 'proof-of-work nonce',
    base_fee_per_gas_wei Nullable(UInt256) COMMENT 'base fee; null before London' CODEC(ZSTD(1)),
    withdrawals_root Nullable(FixedString(32)) COMMENT 'null before Shanghai',
    blob_gas_used Nullable(UInt64) COMMENT 'null before Cancun',
    excess_blob_gas Nullable(UInt64) COMMENT 'null before Cancun',
    parent_beacon_block_root Nullable(FixedString(32)) COMMENT 'null before Cancun',
    requests_hash Nullable(FixedString(32)) COMMENT 'null before Prague',
    tx_count UInt32 COMMENT 'number of transactions',
    canonical Bool DEFAULT true COMMENT 'false once a reorg dropped the block',
    seen_at DateTime64(9, 'UTC') COMMENT 'when the block was first seen',
    lane LowCardinality(String) COMMENT 'lane that delivered the block first',
    source LowCardinality(String) COMMENT 'source that delivered the block first',
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
