-- How far the store writer has stored each event log; only the newest row of a log counts.
CREATE TABLE IF NOT EXISTS writer_progress
(
    log_id LowCardinality(String) COMMENT 'event log',
    seq Int64 COMMENT 'every event up to this one is in the store',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY log_id
