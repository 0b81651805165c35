"""Blinded beacon blocks: what a proposer signs in place of a block it has not seen (builder-specs).

Only the execution payload header is looked into. The rest is there because the proposer's signature covers
its root; those containers are made from their field lists.
"""

from dataclasses import dataclass, make_dataclass
from typing import Any

from mev_dagster.pbs.schema import (
    ADDRESS,
    COMMITMENTS,
    EXECUTION_PAYLOAD_HEADER,
    EXECUTION_REQUESTS,
    HASH,
    PUBKEY,
    SIGNATURE,
    UINT64,
)
from mev_dagster.pbs.ssz import Bitlist, Bitvector, Container, ContainerField, List, SszType, Vector
from mev_dagster.pbs.types import ConsensusFork, ExecutionPayloadHeader

DEPOSIT_PROOF_LENGTH = 33
SYNC_COMMITTEE_SIZE = 512
VALIDATORS_PER_COMMITTEE = 2048
COMMITTEES_PER_SLOT = 64


def _record(name: str, **fields: SszType) -> Container:
    """Return a container with a dataclass made for it."""
    made = make_dataclass(name, fields.keys(), frozen=True, slots=True)
    return Container(made, tuple(ContainerField(field, kind) for field, kind in fields.items()))


def _signed(name: str, message: Container) -> Container:
    return _record(name, message=message, signature=SIGNATURE)


_CHECKPOINT = _record("Checkpoint", epoch=UINT64, root=HASH)
_ATTESTATION_DATA = _record(
    "AttestationData",
    slot=UINT64,
    index=UINT64,
    beacon_block_root=HASH,
    source=_CHECKPOINT,
    target=_CHECKPOINT,
)
_HEADER = _record(
    "BeaconBlockHeader", slot=UINT64, proposer_index=UINT64, parent_root=HASH, state_root=HASH, body_root=HASH
)
_SIGNED_HEADER = _signed("SignedBeaconBlockHeader", _HEADER)
_PROPOSER_SLASHING = _record(
    "ProposerSlashing", signed_header_1=_SIGNED_HEADER, signed_header_2=_SIGNED_HEADER
)
_ETH1_DATA = _record("Eth1Data", deposit_root=HASH, deposit_count=UINT64, block_hash=HASH)
_DEPOSIT = _record(
    "Deposit",
    proof=Vector(HASH, DEPOSIT_PROOF_LENGTH),
    data=_record(
        "DepositData", pubkey=PUBKEY, withdrawal_credentials=HASH, amount=UINT64, signature=SIGNATURE
    ),
)
_VOLUNTARY_EXIT = _signed(
    "SignedVoluntaryExit", _record("VoluntaryExit", epoch=UINT64, validator_index=UINT64)
)
_BLS_CHANGE = _signed(
    "SignedBLSToExecutionChange",
    _record(
        "BLSToExecutionChange", validator_index=UINT64, from_bls_pubkey=PUBKEY, to_execution_address=ADDRESS
    ),
)
_SYNC_AGGREGATE = _record(
    "SyncAggregate",
    sync_committee_bits=Bitvector(SYNC_COMMITTEE_SIZE),
    sync_committee_signature=SIGNATURE,
)


def _attester_slashing(attesters: int) -> Container:
    indexed = _record(
        "IndexedAttestation",
        attesting_indices=List(UINT64, attesters),
        data=_ATTESTATION_DATA,
        signature=SIGNATURE,
    )
    return _record("AttesterSlashing", attestation_1=indexed, attestation_2=indexed)


def _attestation(fork: ConsensusFork) -> Container:
    if fork < ConsensusFork.ELECTRA:
        return _record(
            "Attestation",
            aggregation_bits=Bitlist(VALIDATORS_PER_COMMITTEE),
            data=_ATTESTATION_DATA,
            signature=SIGNATURE,
        )
    return _record(  # EIP-7549
        "Attestation",
        aggregation_bits=Bitlist(VALIDATORS_PER_COMMITTEE * COMMITTEES_PER_SLOT),
        data=_ATTESTATION_DATA,
        signature=SIGNATURE,
        committee_bits=Bitvector(COMMITTEES_PER_SLOT),
    )


def _body(fork: ConsensusFork) -> Container:
    electra = fork >= ConsensusFork.ELECTRA
    attesters = VALIDATORS_PER_COMMITTEE * (COMMITTEES_PER_SLOT if electra else 1)
    fields: dict[str, SszType] = {
        "randao_reveal": SIGNATURE,
        "eth1_data": _ETH1_DATA,
        "graffiti": HASH,
        "proposer_slashings": List(_PROPOSER_SLASHING, 16),
        "attester_slashings": List(_attester_slashing(attesters), 1 if electra else 2),
        "attestations": List(_attestation(fork), 8 if electra else 128),
        "deposits": List(_DEPOSIT, 16),
        "voluntary_exits": List(_VOLUNTARY_EXIT, 16),
        "sync_aggregate": _SYNC_AGGREGATE,
        "execution_payload_header": EXECUTION_PAYLOAD_HEADER[fork],
    }
    if fork >= ConsensusFork.CAPELLA:
        fields["bls_to_execution_changes"] = List(_BLS_CHANGE, 16)
    if fork >= ConsensusFork.DENEB:
        fields["blob_kzg_commitments"] = COMMITMENTS
    if electra:
        fields["execution_requests"] = EXECUTION_REQUESTS
    return _record("BlindedBeaconBlockBody", **fields)


@dataclass(frozen=True, slots=True)
class BlindedBeaconBlock:
    """A beacon block with its payload's header in the payload's place."""

    slot: int
    proposer_index: int
    parent_root: bytes
    state_root: bytes
    body: Any

    @property
    def header(self) -> ExecutionPayloadHeader:
        """The execution payload's header."""
        header: ExecutionPayloadHeader = self.body.execution_payload_header
        return header


@dataclass(frozen=True, slots=True)
class SignedBlindedBeaconBlock:
    """A blinded block signed by its proposer."""

    message: BlindedBeaconBlock
    signature: bytes


def _block(fork: ConsensusFork) -> Container:
    return Container(
        BlindedBeaconBlock,
        (
            ContainerField("slot", UINT64),
            ContainerField("proposer_index", UINT64),
            ContainerField("parent_root", HASH),
            ContainerField("state_root", HASH),
            ContainerField("body", _body(fork)),
        ),
    )


BLINDED_BLOCK = {fork: _block(fork) for fork in ConsensusFork}
SIGNED_BLINDED_BLOCK = {
    fork: Container(
        SignedBlindedBeaconBlock,
        (ContainerField("message", BLINDED_BLOCK[fork]), ContainerField("signature", SIGNATURE)),
    )
    for fork in ConsensusFork
}


def blinded_block(
    fork: ConsensusFork,
    *,
    slot: int,
    proposer_index: int,
    header: ExecutionPayloadHeader,
    blob_kzg_commitments: tuple[bytes, ...] = (),
    execution_requests: Any = None,
) -> BlindedBeaconBlock:
    """Return a block with an execution payload header and nothing else, as the sandbox's proposer signs."""
    kind = BLINDED_BLOCK[fork].fields[-1].type
    assert isinstance(kind, Container)
    given = {
        "execution_payload_header": header,
        "blob_kzg_commitments": blob_kzg_commitments,
        "execution_requests": execution_requests,
    }
    body = kind.cls(**{item.name: given.get(item.name, _empty(item.type)) for item in kind.fields})
    return BlindedBeaconBlock(slot, proposer_index, bytes(32), bytes(32), body)


def _empty(kind: SszType) -> Any:
    """Return a type's default value: zeros and empty lists."""
    if isinstance(kind, List):
        return ()
    if isinstance(kind, Container):
        return kind.cls(**{item.holder: _empty(item.type) for item in kind.fields})
    if kind is UINT64:
        return 0
    return bytes(kind.fixed_bytes or 0)
