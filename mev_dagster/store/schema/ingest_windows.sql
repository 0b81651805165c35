-- Parts of the event log between two heads; window N ends with the head N.
CREATE TABLE IF NOT EXISTS ingest_windows
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of the head that closed the window',
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    first_seq Int64 COMMENT 'first sequence number of the window',
    last_seq Int64 COMMENT 'sequence number of the head that closed it',
    opened_at DateTime64(9, 'UTC') COMMENT 'wall clock of the first event',
    closed_at DateTime64(9, 'UTC') COMMENT 'wall clock of the head',
    sightings UInt32 COMMENT 'transaction sightings in the window',
    bodies UInt32 COMMENT 'transaction bodies in the window',
    rejects UInt32 COMMENT 'refused offers in the window',
    gaps UInt32 DEFAULT 0 COMMENT 'lane gaps reported in the window; data with gaps is incomplete',
    synthetic Bool COMMENT 'true when any arrival time was made by a rule',
    superseded Bool DEFAULT false COMMENT 'true once a reorg replaced the window',
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
