-- MEV that landed in a day, by kind.
CREATE TABLE IF NOT EXISTS labels_daily
(
    day DateTime64(9, 'UTC') COMMENT 'start of the day, UTC',
    kind LowCardinality(String) COMMENT 'kind of the label',
    blocks UInt32 COMMENT 'blocks of the day with such a label',
    labels UInt64 COMMENT 'labels of the kind',
    net_wei Int256 COMMENT 'their net profit where it is known in ether',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(day)
ORDER BY (day, kind)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
