-- Ex-post labels of the MEV that landed in a block.
CREATE TABLE IF NOT EXISTS mev_labels
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of that block',
    kind LowCardinality(String) COMMENT 'swap, arbitrage, sandwich, liquidation or jit',
    position UInt32 COMMENT 'ordinal among the labels of the block and kind',
    tx_hashes Array(FixedString(32)) COMMENT 'transactions of the label, in order',
    victim_hashes Array(FixedString(32)) DEFAULT [] COMMENT 'victims between them',
    beneficiary Nullable(FixedString(20)) COMMENT 'who keeps the profit; null when unclear',
    venues Array(FixedString(20)) DEFAULT [] COMMENT 'pools that were used',
    profit_tokens Array(FixedString(20)) DEFAULT [] COMMENT 'tokens gained or lost; parallel to profit_amounts',
    profit_amounts Array(Int256) DEFAULT [] COMMENT 'amounts gained or lost',
    gas_cost_wei UInt256 DEFAULT 0 COMMENT 'gas paid by the own transactions of the label',
    coinbase_payment_wei Int256 DEFAULT 0 COMMENT 'direct payments to the coinbase',
    net_wei Nullable(Int256) COMMENT 'profit in wei after gas and payments; null when not priced',
    opportunity_id Nullable(FixedString(32)) COMMENT 'candidate of ours that matches; null when none does',
    detail String DEFAULT '' COMMENT 'evidence, as JSON' CODEC(ZSTD(1)),
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash, kind, position)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
