-- The one chain whose rows the store holds; a log of another chain is refused.
CREATE TABLE IF NOT EXISTS store_chain
(
    chain_id UInt64 COMMENT 'chain id, as a node told it',
    genesis_hash Nullable(FixedString(32)) COMMENT 'hash of the first block; null where no node told it',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY chain_id
