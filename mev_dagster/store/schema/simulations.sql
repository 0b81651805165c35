-- Executions of pending transactions and candidates on the parent state of a block.
CREATE TABLE IF NOT EXISTS simulations
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    opportunity_id FixedString(32) DEFAULT toFixedString('', 32) COMMENT 'candidate the execution belongs to; zero when the transaction ran on its own',
    position UInt32 DEFAULT 0 COMMENT 'position among the transactions executed together',
    tx_hash FixedString(32) COMMENT 'keccak of the signed transaction' CODEC(NONE),
    engine LowCardinality(String) COMMENT 'engine that executed it',
    fork LowCardinality(String) COMMENT 'rules it was executed by',
    status LowCardinality(String) COMMENT 'success, reverted, halted or invalid',
    gas_used UInt64 COMMENT 'gas used',
    coinbase_payment_wei Int256 COMMENT 'what the coinbase of the block gained',
    logs_hash FixedString(32) COMMENT 'keccak of the RLP of the logs',
    state_diff_hash FixedString(32) COMMENT 'digest of the state difference',
    accounts_read Array(FixedString(20)) DEFAULT [] COMMENT 'accounts the execution depended on' CODEC(ZSTD(1)),
    slots_read Array(FixedString(52)) DEFAULT [] COMMENT 'storage read: address and slot' CODEC(ZSTD(1)),
    slots_written Array(FixedString(52)) DEFAULT [] COMMENT 'storage changed: address and slot' CODEC(ZSTD(1)),
    contended_slots Array(FixedString(52)) DEFAULT [] COMMENT 'storage it uses that another pending transaction of the block writes; of transactions on their own' CODEC(ZSTD(1)),
    gas_classes Array(LowCardinality(String)) DEFAULT [] COMMENT 'kinds of instruction that ran, with intrinsic and precompile; empty where it was not metered',
    gas_of_classes Array(UInt64) DEFAULT [] COMMENT 'gas they took before refunds; parallel to gas_classes',
    instructions Nullable(UInt64) COMMENT 'instructions executed; null where it was not metered',
    cold_slots Nullable(UInt32) COMMENT 'first accesses of a slot by an instruction (EIP-2929); null where it was not metered',
    warm_slots Nullable(UInt32) COMMENT 'further accesses of a slot; null where it was not metered',
    cold_accounts Nullable(UInt32) COMMENT 'first accesses of an account by an instruction; null where it was not metered',
    warm_accounts Nullable(UInt32) COMMENT 'further accesses of an account; null where it was not metered',
    detail String DEFAULT '' COMMENT 'why it failed or was invalid' CODEC(ZSTD(1)),
    elapsed_ns UInt64 DEFAULT 0 COMMENT 'time the execution took, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1)),
    INDEX by_hash tx_hash TYPE bloom_filter(0.001)
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, opportunity_id, position, tx_hash, engine)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
