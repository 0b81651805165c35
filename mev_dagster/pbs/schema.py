"""Which container each fork uses, as SSZ types: the one table both codecs (SSZ and JSON) read.

Sources: consensus-specs (bellatrix to fulu), builder-specs, relay-specs. Limits are mainnet's preset.
"""

from typing import Any

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.pbs.ssz import ByteList, ByteVector, Container, ContainerField, List, SszType, Uint
from mev_dagster.pbs.types import (
    BidTrace,
    BlobsBundle,
    BuilderBid,
    ConsensusFork,
    ConsolidationRequest,
    DepositRequest,
    ExecutionPayload,
    ExecutionPayloadHeader,
    ExecutionRequests,
    PayloadAndBlobs,
    SignedBuilderBid,
    SignedValidatorRegistration,
    SubmitBlockRequest,
    ValidatorRegistration,
    WithdrawalRequest,
)

UINT64 = Uint(8)
UINT256 = Uint(32)
ADDRESS = ByteVector(20)
HASH = ByteVector(32)
PUBKEY = ByteVector(48)
SIGNATURE = ByteVector(96)
KZG = ByteVector(48)

BLOB_BYTES = 131_072
MAX_EXTRA_DATA_BYTES = 32
MAX_BLOB_COMMITMENTS = 4096
CELLS_PER_BLOB = 128
FIELD_ELEMENTS_PER_EXT_BLOB = 8192
MAX_VALIDATOR_REGISTRATIONS = 2**40

TRANSACTIONS = List(ByteList(2**30), 2**20)
WITHDRAWALS = List(
    Container(
        Withdrawal,
        (
            ContainerField("index", UINT64),
            ContainerField("validator_index", UINT64),
            ContainerField("address", ADDRESS),
            ContainerField("amount", UINT64, "amount_gwei"),
        ),
    ),
    16,
)
COMMITMENTS = List(KZG, MAX_BLOB_COMMITMENTS)

BID_TRACE = Container(
    BidTrace,
    (
        ContainerField("slot", UINT64),
        ContainerField("parent_hash", HASH),
        ContainerField("block_hash", HASH),
        ContainerField("builder_pubkey", PUBKEY),
        ContainerField("proposer_pubkey", PUBKEY),
        ContainerField("proposer_fee_recipient", ADDRESS),
        ContainerField("gas_limit", UINT64),
        ContainerField("gas_used", UINT64),
        ContainerField("value", UINT256),
    ),
)

EXECUTION_REQUESTS = Container(
    ExecutionRequests,
    (
        ContainerField(
            "deposits",
            List(
                Container(
                    DepositRequest,
                    (
                        ContainerField("pubkey", PUBKEY),
                        ContainerField("withdrawal_credentials", HASH),
                        ContainerField("amount", UINT64),
                        ContainerField("signature", SIGNATURE),
                        ContainerField("index", UINT64),
                    ),
                ),
                8192,
            ),
        ),
        ContainerField(
            "withdrawals",
            List(
                Container(
                    WithdrawalRequest,
                    (
                        ContainerField("source_address", ADDRESS),
                        ContainerField("validator_pubkey", PUBKEY),
                        ContainerField("amount", UINT64),
                    ),
                ),
                16,
            ),
        ),
        ContainerField(
            "consolidations",
            List(
                Container(
                    ConsolidationRequest,
                    (
                        ContainerField("source_address", ADDRESS),
                        ContainerField("source_pubkey", PUBKEY),
                        ContainerField("target_pubkey", PUBKEY),
                    ),
                ),
                2,
            ),
        ),
    ),
)

VALIDATOR_REGISTRATION = Container(
    ValidatorRegistration,
    (
        ContainerField("fee_recipient", ADDRESS),
        ContainerField("gas_limit", UINT64),
        ContainerField("timestamp", UINT64),
        ContainerField("pubkey", PUBKEY),
    ),
)
SIGNED_VALIDATOR_REGISTRATION = Container(
    SignedValidatorRegistration,
    (ContainerField("message", VALIDATOR_REGISTRATION), ContainerField("signature", SIGNATURE)),
)
SIGNED_VALIDATOR_REGISTRATIONS = List(SIGNED_VALIDATOR_REGISTRATION, MAX_VALIDATOR_REGISTRATIONS)


def _payload_fields(fork: ConsensusFork, *lists: ContainerField) -> tuple[ContainerField, ...]:
    fields = (
        ContainerField("parent_hash", HASH),
        ContainerField("fee_recipient", ADDRESS),
        ContainerField("state_root", HASH),
        ContainerField("receipts_root", HASH),
        ContainerField("logs_bloom", ByteVector(256)),
        ContainerField("prev_randao", HASH),
        ContainerField("block_number", UINT64),
        ContainerField("gas_limit", UINT64),
        ContainerField("gas_used", UINT64),
        ContainerField("timestamp", UINT64),
        ContainerField("extra_data", ByteList(MAX_EXTRA_DATA_BYTES)),
        ContainerField("base_fee_per_gas", UINT256),
        ContainerField("block_hash", HASH),
        *lists[: 1 if fork == ConsensusFork.BELLATRIX else 2],
    )
    if fork >= ConsensusFork.DENEB:
        fields += (ContainerField("blob_gas_used", UINT64), ContainerField("excess_blob_gas", UINT64))
    return fields


def _payload(fork: ConsensusFork) -> Container:
    lists = (ContainerField("transactions", TRANSACTIONS), ContainerField("withdrawals", WITHDRAWALS))
    return Container(ExecutionPayload, _payload_fields(fork, *lists))


def _payload_header(fork: ConsensusFork) -> Container:
    roots = (ContainerField("transactions_root", HASH), ContainerField("withdrawals_root", HASH))
    return Container(ExecutionPayloadHeader, _payload_fields(fork, *roots))


def _blobs_bundle(fork: ConsensusFork) -> Container:
    proofs_per_blob = FIELD_ELEMENTS_PER_EXT_BLOB if fork >= ConsensusFork.FULU else 1
    return Container(
        BlobsBundle,
        (
            ContainerField("commitments", COMMITMENTS),
            ContainerField("proofs", List(KZG, proofs_per_blob * MAX_BLOB_COMMITMENTS)),
            ContainerField("blobs", List(ByteVector(BLOB_BYTES), MAX_BLOB_COMMITMENTS)),
        ),
    )


def _from_fork(
    fork: ConsensusFork, first: ConsensusFork, name: str, kind: SszType
) -> tuple[ContainerField, ...]:
    return (ContainerField(name, kind),) if fork >= first else ()


def _submission(fork: ConsensusFork) -> Container:
    return Container(
        SubmitBlockRequest,
        (
            ContainerField("message", BID_TRACE),
            ContainerField("execution_payload", EXECUTION_PAYLOAD[fork]),
            *_from_fork(fork, ConsensusFork.DENEB, "blobs_bundle", BLOBS_BUNDLE[fork]),
            *_from_fork(fork, ConsensusFork.ELECTRA, "execution_requests", EXECUTION_REQUESTS),
            ContainerField("signature", SIGNATURE),
        ),
        {"fork": fork},
    )


def _bid(fork: ConsensusFork) -> Container:
    return Container(
        BuilderBid,
        (
            ContainerField("header", EXECUTION_PAYLOAD_HEADER[fork]),
            *_from_fork(fork, ConsensusFork.DENEB, "blob_kzg_commitments", COMMITMENTS),
            *_from_fork(fork, ConsensusFork.ELECTRA, "execution_requests", EXECUTION_REQUESTS),
            ContainerField("value", UINT256),
            ContainerField("pubkey", PUBKEY),
        ),
        {"fork": fork},
    )


def _signed_bid(fork: ConsensusFork) -> Container:
    return Container(
        SignedBuilderBid,
        (ContainerField("message", BUILDER_BID[fork]), ContainerField("signature", SIGNATURE)),
        {"fork": fork},
    )


EXECUTION_PAYLOAD = {fork: _payload(fork) for fork in ConsensusFork}
EXECUTION_PAYLOAD_HEADER = {fork: _payload_header(fork) for fork in ConsensusFork}
BLOBS_BUNDLE = {fork: _blobs_bundle(fork) for fork in ConsensusFork}
PAYLOAD_AND_BLOBS = {
    fork: Container(
        PayloadAndBlobs,
        (
            ContainerField("execution_payload", EXECUTION_PAYLOAD[fork]),
            ContainerField("blobs_bundle", BLOBS_BUNDLE[fork]),
        ),
    )
    for fork in ConsensusFork
    if fork >= ConsensusFork.DENEB
}
SUBMIT_BLOCK_REQUEST = {fork: _submission(fork) for fork in ConsensusFork}
BUILDER_BID = {fork: _bid(fork) for fork in ConsensusFork}
SIGNED_BUILDER_BID = {fork: _signed_bid(fork) for fork in ConsensusFork}


def payload_header(fork: ConsensusFork, payload: ExecutionPayload) -> ExecutionPayloadHeader:
    """Return the header whose tree root equals the payload's."""
    values: dict[str, Any] = {
        name: getattr(payload, name)
        for name in ExecutionPayloadHeader.__dataclass_fields__
        if hasattr(payload, name)
    }
    values["transactions_root"] = TRANSACTIONS.hash_tree_root(payload.transactions)
    if payload.withdrawals is not None:
        values["withdrawals_root"] = WITHDRAWALS.hash_tree_root(payload.withdrawals)
    header = ExecutionPayloadHeader(**values)
    EXECUTION_PAYLOAD_HEADER[fork].check(header)
    return header
