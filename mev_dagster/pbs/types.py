"""The values a builder, a relay and a proposer exchange, one dataclass per specification container.

Names are those of consensus-specs, builder-specs and relay-specs. Fields a fork does not have are None;
`schema.py` says which fork has which.
"""

from dataclasses import dataclass
from enum import IntEnum

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.errors import UnsupportedFork


class ConsensusFork(IntEnum):
    """Consensus-layer forks that have an execution payload and a builder API with a relay."""

    BELLATRIX = 2
    CAPELLA = 3
    DENEB = 4
    ELECTRA = 5
    FULU = 6

    @property
    def version(self) -> str:
        """The name used in `Eth-Consensus-Version` and in versioned JSON."""
        return self.name.lower()


def consensus_fork_of(fork: Fork) -> ConsensusFork:
    """Return the consensus fork that carries payloads of an execution fork."""
    pairs = (
        (Fork.AMSTERDAM, None),
        (Fork.OSAKA, ConsensusFork.FULU),
        (Fork.PRAGUE, ConsensusFork.ELECTRA),
        (Fork.CANCUN, ConsensusFork.DENEB),
        (Fork.SHANGHAI, ConsensusFork.CAPELLA),
        (Fork.PARIS, ConsensusFork.BELLATRIX),
        (Fork.FRONTIER, None),
    )
    found = next(consensus for start, consensus in pairs if fork >= start)
    if found is None:
        raise UnsupportedFork(f"no relay protocol carries payloads of {fork.name}")
    return found


@dataclass(frozen=True, slots=True)
class BidTrace:
    """What a builder signs: which block it offers to which proposer, for how much (wei)."""

    slot: int
    parent_hash: bytes
    block_hash: bytes
    builder_pubkey: bytes
    proposer_pubkey: bytes
    proposer_fee_recipient: bytes
    gas_limit: int
    gas_used: int
    value: int


@dataclass(frozen=True, slots=True)
class ExecutionPayload:
    """An execution block as the consensus layer carries it."""

    parent_hash: bytes
    fee_recipient: bytes
    state_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    prev_randao: bytes
    block_number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    base_fee_per_gas: int
    block_hash: bytes
    transactions: tuple[bytes, ...]
    withdrawals: tuple[Withdrawal, ...] | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutionPayloadHeader:
    """A payload with its lists replaced by their roots: what a proposer signs blind."""

    parent_hash: bytes
    fee_recipient: bytes
    state_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    prev_randao: bytes
    block_number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    base_fee_per_gas: int
    block_hash: bytes
    transactions_root: bytes
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None


@dataclass(frozen=True, slots=True)
class BlobsBundle:
    """The blobs of a payload with their KZG commitments and proofs (cell proofs from Fulu on)."""

    commitments: tuple[bytes, ...] = ()
    proofs: tuple[bytes, ...] = ()
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PayloadAndBlobs:
    """What a relay hands a proposer from Deneb on (builder-specs, `ExecutionPayloadAndBlobsBundle`)."""

    execution_payload: "ExecutionPayload"
    blobs_bundle: BlobsBundle


@dataclass(frozen=True, slots=True)
class DepositRequest:
    """A validator deposit found in the deposit contract's logs (EIP-6110)."""

    pubkey: bytes
    withdrawal_credentials: bytes
    amount: int
    signature: bytes
    index: int


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """A withdrawal triggered from the execution layer (EIP-7002)."""

    source_address: bytes
    validator_pubkey: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class ConsolidationRequest:
    """A consolidation triggered from the execution layer (EIP-7251)."""

    source_address: bytes
    source_pubkey: bytes
    target_pubkey: bytes


@dataclass(frozen=True, slots=True)
class ExecutionRequests:
    """The requests a block makes of the consensus layer (EIP-7685)."""

    deposits: tuple[DepositRequest, ...] = ()
    withdrawals: tuple[WithdrawalRequest, ...] = ()
    consolidations: tuple[ConsolidationRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class SubmitBlockRequest:
    """A builder's submission to a relay; `signature` covers `message` alone."""

    fork: ConsensusFork
    message: BidTrace
    execution_payload: ExecutionPayload
    signature: bytes
    blobs_bundle: BlobsBundle | None = None
    execution_requests: ExecutionRequests | None = None


@dataclass(frozen=True, slots=True)
class ValidatorRegistration:
    """What a proposer asks of builders: where to pay, and towards which gas limit to build."""

    fee_recipient: bytes
    gas_limit: int
    timestamp: int
    pubkey: bytes


@dataclass(frozen=True, slots=True)
class SignedValidatorRegistration:
    """A registration signed by the validator."""

    message: ValidatorRegistration
    signature: bytes


@dataclass(frozen=True, slots=True)
class BuilderBid:
    """What a relay offers a proposer: a header and its value, under the relay's key."""

    fork: ConsensusFork
    header: ExecutionPayloadHeader
    value: int
    pubkey: bytes
    blob_kzg_commitments: tuple[bytes, ...] | None = None
    execution_requests: ExecutionRequests | None = None


@dataclass(frozen=True, slots=True)
class SignedBuilderBid:
    """A bid signed by the relay."""

    fork: ConsensusFork
    message: BuilderBid
    signature: bytes
