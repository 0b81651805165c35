-- Lane against lane over a window: who saw what first and what nobody saw.
CREATE TABLE IF NOT EXISTS coverage
(
    window_start DateTime64(9, 'UTC') COMMENT 'start of the window',
    window_end DateTime64(9, 'UTC') COMMENT 'end of the window',
    first_block_number UInt64 COMMENT 'first block of the window',
    last_block_number UInt64 COMMENT 'last block of the window',
    lane LowCardinality(String) COMMENT 'lane and source',
    other LowCardinality(String) DEFAULT '' COMMENT 'lane and source it is compared with; empty for the lane on its own',
    sightings UInt64 DEFAULT 0 COMMENT 'times the lane was shown a transaction, every peer and repetition',
    seen UInt64 COMMENT 'transactions of these sightings',
    exclusive UInt64 COMMENT 'of these, known to no other lane, or not to the one compared with',
    included UInt64 COMMENT 'transactions of the blocks that the lane had seen before their block',
    shared UInt64 DEFAULT 0 COMMENT 'transactions that another lane, or the one compared with, knew too',
    seen_first UInt64 DEFAULT 0 COMMENT 'transactions this lane saw before every other, or before the one compared with',
    median_ms Nullable(Float64) COMMENT 'median lead over the other lane, milliseconds',
    p95_ms Nullable(Float64) COMMENT '95th percentile of the lead, milliseconds',
    before_slot UInt64 DEFAULT 0 COMMENT 'included transactions seen before their slot began',
    after_slot UInt64 DEFAULT 0 COMMENT 'included transactions seen only after their slot began',
    never_seen UInt64 DEFAULT 0 COMMENT 'included transactions the lane never saw',
    synthetic Bool COMMENT 'true when any arrival time was made by a rule',
    computed_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when the row was computed, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(window_start)
ORDER BY (window_start, window_end, lane, other)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
