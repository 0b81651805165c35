-- Decoded transactions, one row a hash; the columns together rebuild the signed bytes.
CREATE TABLE IF NOT EXISTS transactions
(
    window_number UInt64 COMMENT 'ingest window of the first sighting' CODEC(Delta, ZSTD(1)),
    tx_hash FixedString(32) COMMENT 'keccak of the signed transaction' CODEC(NONE),
    first_seen_at DateTime64(9, 'UTC') COMMENT 'wall clock at which the body first arrived' CODEC(Delta, ZSTD(1)),
    tx_type UInt8 COMMENT 'EIP-2718 type, 0 for legacy' CODEC(ZSTD(1)),
    chain_id Nullable(UInt256) COMMENT 'chain id; null before EIP-155' CODEC(ZSTD(1)),
    nonce UInt64 COMMENT 'nonce of the sender' CODEC(ZSTD(1)),
    sender FixedString(20) COMMENT 'recovered signer' CODEC(ZSTD(1)),
    `to` LowCardinality(Nullable(FixedString(20))) COMMENT 'recipient; null creates a contract' CODEC(ZSTD(1)),
    value_wei UInt256 COMMENT 'ether sent' CODEC(ZSTD(1)),
    gas_limit UInt64 COMMENT 'gas limit' CODEC(T64, ZSTD(1)),
    gas_price_wei Nullable(UInt256) COMMENT 'gas price of types 0 and 1' CODEC(ZSTD(1)),
    max_fee_per_gas_wei Nullable(UInt256) COMMENT 'fee cap of types 2 to 4' CODEC(ZSTD(1)),
    max_priority_fee_per_gas_wei Nullable(UInt256) COMMENT 'tip cap of types 2 to 4' CODEC(ZSTD(1)),
    max_fee_per_blob_gas_wei Nullable(UInt256) COMMENT 'blob fee cap of type 3' CODEC(ZSTD(1)),
    access_list_addresses Array(FixedString(20)) DEFAULT [] COMMENT 'EIP-2930 addresses, in order' CODEC(ZSTD(1)),
    access_list_storage_keys Array(Array(FixedString(32))) DEFAULT [] COMMENT 'EIP-2930 storage keys of each address; parallel to access_list_addresses' CODEC(ZSTD(1)),
    blob_versioned_hashes Array(FixedString(32)) DEFAULT [] COMMENT 'EIP-4844 versioned hashes' CODEC(ZSTD(1)),
    authorization_chain_ids Array(UInt256) DEFAULT [] COMMENT 'EIP-7702 chain ids, one an authorization' CODEC(ZSTD(1)),
    authorization_addresses Array(FixedString(20)) DEFAULT [] COMMENT 'EIP-7702 delegates; parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    authorization_nonces Array(UInt64) DEFAULT [] COMMENT 'EIP-7702 nonces; parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    authorization_y_parities Array(UInt256) DEFAULT [] COMMENT 'EIP-7702 signature parities; parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    authorization_r Array(UInt256) DEFAULT [] COMMENT 'EIP-7702 signature r; parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    authorization_s Array(UInt256) DEFAULT [] COMMENT 'EIP-7702 signature s; parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    authorization_authorities Array(Nullable(FixedString(20))) DEFAULT [] COMMENT 'EIP-7702 recovered signers (null where unrecoverable); parallel to authorization_chain_ids' CODEC(ZSTD(1)),
    input String COMMENT 'calldata, raw bytes' CODEC(ZSTD(3)),
    input_len UInt32 COMMENT 'length of the calldata' CODEC(T64, ZSTD(1)),
    selector Nullable(FixedString(4)) COMMENT 'first four bytes of the calldata; null when shorter' CODEC(ZSTD(1)),
    v UInt256 COMMENT 'signature v as signed (parity for typed transactions)' CODEC(ZSTD(1)),
    r UInt256 COMMENT 'signature r' CODEC(NONE),
    s UInt256 COMMENT 'signature s' CODEC(NONE),
    raw_len UInt32 COMMENT 'length of the canonical encoding, without any blob sidecar' CODEC(T64, ZSTD(1)),
    lane LowCardinality(String) COMMENT 'lane that delivered the body first',
    source LowCardinality(String) COMMENT 'source that delivered the body first',
    synthetic Bool COMMENT 'true when the arrival time was made by a rule, not observed' CODEC(ZSTD(1)),
    seq Int64 DEFAULT -1 COMMENT 'sequence number in the event log; -1 when the row did not come from a log' CODEC(Delta, ZSTD(1)),
    log_id LowCardinality(String) DEFAULT '' COMMENT 'event log that the sequence number belongs to',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1)),
    INDEX by_time first_seen_at TYPE minmax,
    INDEX by_hash tx_hash TYPE bloom_filter(0.001),
    INDEX by_sender sender TYPE bloom_filter(0.01)
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(first_seen_at)
ORDER BY (window_number, first_seen_at, tx_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_transactions} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
