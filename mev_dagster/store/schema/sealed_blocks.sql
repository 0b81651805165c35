-- Sealed blocks whole, as a relay gets them but for the builder's key and signature: what submitting starts from.
CREATE TABLE IF NOT EXISTS sealed_blocks
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of the sealed header',
    landed_hash FixedString(32) COMMENT 'hash of the block that landed in its place',
    fork LowCardinality(String) COMMENT 'consensus fork whose form the submission has',
    submission String COMMENT 'unsigned submission as SSZ, raw bytes' CODEC(ZSTD(3)),
    trace_id Nullable(FixedString(16)) COMMENT 'W3C trace of the run that made the row, volatile',
    span_id Nullable(FixedString(8)) COMMENT 'W3C span that the submission hangs under, volatile',
    relays Array(String) DEFAULT [] COMMENT 'relays it is offered to, by name; none named: all of them',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_sightings} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
