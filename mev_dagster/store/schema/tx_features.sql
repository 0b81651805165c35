-- What the search reads of each pending transaction, per block it was considered for.
CREATE TABLE IF NOT EXISTS tx_features
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    tx_hash FixedString(32) COMMENT 'keccak of the signed transaction' CODEC(NONE),
    sender FixedString(20) COMMENT 'recovered signer',
    method LowCardinality(String) DEFAULT '' COMMENT 'decoded router method; empty when not a known call',
    venue LowCardinality(String) DEFAULT '' COMMENT 'protocol of the router; empty when not a known call',
    router Nullable(FixedString(20)) COMMENT 'router called; null when not a known call',
    path Array(FixedString(20)) DEFAULT [] COMMENT 'tokens along the swap, in order',
    exact_input Nullable(Bool) COMMENT 'true when amount_in is exact, false when amount_out is',
    amount_in Nullable(UInt256) COMMENT 'exact or maximal input, in units of the first token',
    amount_out Nullable(UInt256) COMMENT 'minimal or exact output, in units of the last token',
    swap_recipient Nullable(FixedString(20)) COMMENT 'who receives the output',
    deadline Nullable(UInt256) COMMENT 'deadline of the router call',
    effective_gas_price_wei Nullable(UInt256) COMMENT 'price per gas at the base fee of this block; null when below it',
    priority_fee_per_gas_wei Nullable(UInt256) COMMENT 'tip per gas at the base fee of this block; null when below it',
    fee_rank UInt32 COMMENT 'rank by tip among the pending transactions, 0 the highest',
    nonce_gap Nullable(Int64) COMMENT 'nonce minus the nonce of the sender in the parent state; 0 is executable, null when that is unknown',
    age_ns Int64 COMMENT 'time from first sighting to the time of the block, nanoseconds',
    sightings UInt32 COMMENT 'sightings before the block',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, tx_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
