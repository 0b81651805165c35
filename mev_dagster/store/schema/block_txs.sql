-- Which transactions a block holds, with what its receipts say once they are known.
CREATE TABLE IF NOT EXISTS block_txs
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of that block' CODEC(ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    tx_index UInt32 COMMENT 'position in the block' CODEC(Delta, ZSTD(1)),
    tx_hash FixedString(32) COMMENT 'keccak of the signed transaction' CODEC(NONE),
    status Nullable(UInt8) COMMENT '1 success, 0 failure; null before Byzantium or without receipts',
    gas_used Nullable(UInt64) COMMENT 'gas used; null without receipts',
    effective_gas_price_wei Nullable(UInt256) COMMENT 'price paid per gas; null without the body' CODEC(ZSTD(1)),
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1)),
    INDEX by_hash tx_hash TYPE bloom_filter(0.001)
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash, tx_index)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
