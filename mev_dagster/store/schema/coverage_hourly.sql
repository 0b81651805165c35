-- Lane against lane over an hour: the sums of its blocks.
CREATE TABLE IF NOT EXISTS coverage_hourly
(
    hour DateTime64(9, 'UTC') COMMENT 'start of the hour, UTC',
    lane LowCardinality(String) COMMENT 'lane and source',
    other LowCardinality(String) DEFAULT '' COMMENT 'lane and source it is compared with; empty for the lane on its own',
    blocks UInt32 COMMENT 'blocks whose windows ended in the hour',
    seen UInt64 COMMENT 'sightings by block, summed',
    exclusive UInt64 COMMENT 'of these, seen by no other lane',
    included UInt64 COMMENT 'seen transactions that their block holds',
    shared UInt64 COMMENT 'seen by both lanes',
    seen_first UInt64 COMMENT 'shared ones this lane saw first',
    median_ms Nullable(Float64) COMMENT 'median over the blocks of the median lead, milliseconds',
    before_slot UInt64 COMMENT 'included transactions seen before their slot began',
    after_slot UInt64 COMMENT 'included transactions seen only after their slot began',
    never_seen UInt64 COMMENT 'included transactions the lane never saw',
    synthetic Bool COMMENT 'true when any arrival time was made by a rule',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(hour)
ORDER BY (hour, lane, other)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1
