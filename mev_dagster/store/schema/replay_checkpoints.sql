-- Digests of a run over the event log, compared between live and replay.
CREATE TABLE IF NOT EXISTS replay_checkpoints
(
    log_id LowCardinality(String) COMMENT 'event log that was run',
    run LowCardinality(String) COMMENT 'live, or the name of the replay',
    seq Int64 COMMENT 'last sequence number the digests cover',
    block_number UInt64 COMMENT 'window that the checkpoint closes',
    event_time DateTime64(9, 'UTC') COMMENT 'wall clock of that event',
    event_digest FixedString(32) COMMENT 'digest of the events',
    row_digest FixedString(32) COMMENT 'digest of the decoded rows',
    state_diff_digest Nullable(FixedString(32)) COMMENT 'digest of the state differences; null when nothing was executed',
    rank_digest Nullable(FixedString(32)) COMMENT 'digest of the ranking; null when nothing was searched',
    computed_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when the row was computed, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(event_time)
ORDER BY (log_id, run, seq)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
