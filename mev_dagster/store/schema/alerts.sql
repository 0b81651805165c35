-- Alerts that fired, and what was done about them.
CREATE TABLE IF NOT EXISTS alerts
(
    alert_id FixedString(32) COMMENT 'SHA-256 of the labels and the start',
    name LowCardinality(String) COMMENT 'name of the alert',
    source LowCardinality(String) COMMENT 'webhook, alertmanager, prometheus, or the sensor that raised it',
    labels String COMMENT 'all labels, as JSON with sorted keys',
    summary String DEFAULT '' COMMENT 'what it says',
    starts_at DateTime64(9, 'UTC') COMMENT 'when it began to fire',
    received_at DateTime64(9, 'UTC') COMMENT 'when it reached the platform, volatile',
    block_numbers Array(UInt64) COMMENT 'blocks it is about',
    action String COMMENT 'what was done: runs requested, or why nothing was',
    resolved_at Nullable(DateTime64(9, 'UTC')) COMMENT 'when its blocks were found mended; none while it is open',
    resolution String DEFAULT '' COMMENT 'what mended it',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(starts_at)
ORDER BY alert_id
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
