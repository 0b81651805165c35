"""KZG proofs of blobs: each blob is the one its commitment commits to (EIP-4844, EIP-7594)."""

from functools import lru_cache
from importlib.resources import as_file, files
from typing import Any

import ckzg

from mev_dagster.errors import DecodeError
from mev_dagster.pbs.schema import CELLS_PER_BLOB
from mev_dagster.pbs.types import BlobsBundle, ConsensusFork


@lru_cache(maxsize=1)
def _trusted_setup() -> Any:
    """Load the ceremony's output, which py-evm carries for its point-evaluation precompile."""
    with as_file(files("eth") / "_utils" / "kzg_trusted_setup.txt") as path:
        return ckzg.load_trusted_setup(str(path), 0)


def proofs_per_blob(fork: ConsensusFork) -> int:
    """Return how many proofs accompany one blob: cell proofs from Fulu on."""
    return CELLS_PER_BLOB if fork >= ConsensusFork.FULU else 1


def verify(fork: ConsensusFork, bundle: BlobsBundle) -> bool:
    """Say whether every proof of the bundle holds; bytes that are no point or field element raise."""
    if not bundle.blobs:
        return True
    try:
        if fork >= ConsensusFork.FULU:
            return _verify_cells(bundle)
        return bool(
            ckzg.verify_blob_kzg_proof_batch(
                b"".join(bundle.blobs),
                b"".join(bundle.commitments),
                b"".join(bundle.proofs),
                _trusted_setup(),
            )
        )
    except (RuntimeError, ValueError) as error:
        raise DecodeError("kzg", "a commitment, proof or blob is malformed") from error


def _verify_cells(bundle: BlobsBundle) -> bool:
    cells = [cell for blob in bundle.blobs for cell in ckzg.compute_cells(blob, _trusted_setup())]
    commitments = [commitment for commitment in bundle.commitments for _ in range(CELLS_PER_BLOB)]
    indices = list(range(CELLS_PER_BLOB)) * len(bundle.blobs)
    return bool(
        ckzg.verify_cell_kzg_proof_batch(commitments, indices, cells, list(bundle.proofs), _trusted_setup())
    )
