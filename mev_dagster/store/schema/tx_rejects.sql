-- What was offered as a transaction and is not one, with the reason.
CREATE TABLE IF NOT EXISTS tx_rejects
(
    window_number UInt64 COMMENT 'ingest window of the offer' CODEC(Delta, ZSTD(1)),
    seen_at DateTime64(9, 'UTC') COMMENT 'wall clock of the offer' CODEC(Delta, ZSTD(1)),
    digest FixedString(32) COMMENT 'hash that was claimed, or the keccak of the bytes',
    lane LowCardinality(String) COMMENT 'p2p, rpc, private or capture',
    source LowCardinality(String) COMMENT 'which configured source of the lane',
    reason LowCardinality(String) COMMENT 'stable short code of the refusal',
    detail String COMMENT 'what exactly was wrong' CODEC(ZSTD(1)),
    raw String COMMENT 'the offered bytes up to the keeping limit, raw bytes' CODEC(ZSTD(3)),
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(seen_at)
ORDER BY (window_number, seen_at, digest, lane, source)
TTL toDateTime(stored_at) + INTERVAL {retention_days_sightings} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
