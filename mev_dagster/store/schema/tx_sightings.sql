-- Every time a source showed us a transaction hash.
CREATE TABLE IF NOT EXISTS tx_sightings
(
    window_number UInt64 COMMENT 'number of the ingest window the sighting belongs to' CODEC(Delta, ZSTD(1)),
    seen_at DateTime64(9, 'UTC') COMMENT 'wall clock of the sighting' CODEC(Delta, ZSTD(1)),
    mono_ns Int64 COMMENT 'monotonic clock of the daemon at the sighting, nanoseconds' CODEC(Delta, ZSTD(1)),
    tx_hash FixedString(32) COMMENT 'keccak of the signed transaction' CODEC(NONE),
    lane LowCardinality(String) COMMENT 'p2p, rpc, private or capture',
    source LowCardinality(String) COMMENT 'which configured source of the lane',
    peer LowCardinality(String) DEFAULT '' COMMENT 'remote peer, empty where a lane has none',
    announced_type Nullable(UInt8) COMMENT 'transaction type the peer announced' CODEC(ZSTD(1)),
    announced_size Nullable(UInt32) COMMENT 'size in bytes the peer announced' CODEC(ZSTD(1)),
    synthetic Bool COMMENT 'true when the arrival time was made by a rule, not observed' CODEC(ZSTD(1)),
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1)),
    INDEX by_time seen_at TYPE minmax,
    INDEX by_hash tx_hash TYPE bloom_filter(0.001)
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(seen_at)
ORDER BY (window_number, seen_at, tx_hash, lane, source, peer)
TTL toDateTime(stored_at) + INTERVAL {retention_days_sightings} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
