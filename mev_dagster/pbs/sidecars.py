"""The blobs at hand for a block's transactions: who may enter with them, and the bundle that carries them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mev_dagster.chain.transactions import Transaction
from mev_dagster.pbs.kzg import proofs_per_blob
from mev_dagster.pbs.payload import versioned_hash
from mev_dagster.pbs.types import BlobsBundle, ConsensusFork

Refusal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sidecars:
    """Blobs, commitments and proofs by the hash of the transaction that names them."""

    fork: ConsensusFork
    by_hash: Mapping[bytes, BlobsBundle] = field(default_factory=dict)

    def refusal(self, tx: Transaction) -> Refusal | None:
        """Return why a blob transaction cannot enter, as a stable code and what was found; None: it can."""
        held = self.by_hash.get(tx.hash)
        named = len(tx.blob_versioned_hashes)
        if held is None:
            return "blob_sidecar_absent", f"the {named} blobs are not at hand"
        if tuple(map(versioned_hash, held.commitments)) != tx.blob_versioned_hashes:
            detail = f"{named} blobs named, the sidecar's {len(held.commitments)} commitments are not those"
            return "blob_sidecar_mismatch", detail
        proofs = named * proofs_per_blob(self.fork)
        if (len(held.blobs), len(held.proofs)) != (named, proofs):
            detail = (
                f"{len(held.blobs)} blobs and {len(held.proofs)} proofs; "
                f"{self.fork.name} wants {named} and {proofs}"
            )
            return "blob_sidecar_mismatch", detail
        return None

    def bundle(self, txs: Iterable[Transaction]) -> BlobsBundle:
        """Return what the block's transactions carry, in their order."""
        held = [self.by_hash[tx.hash] for tx in txs if tx.blob_versioned_hashes]
        return BlobsBundle(
            commitments=tuple(item for one in held for item in one.commitments),
            proofs=tuple(item for one in held for item in one.proofs),
            blobs=tuple(item for one in held for item in one.blobs),
        )
