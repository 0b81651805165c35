"""The C limit of decoding: `decode.c` beside this file, built where a compiler is, on coincurve's curve."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

SOURCE = Path(__file__).with_name("decode.c")


class _Curve(ctypes.Structure):
    _fields_ = (
        ("ctx", ctypes.c_void_p),
        ("parse", ctypes.c_void_p),
        ("recover", ctypes.c_void_p),
        ("serialize", ctypes.c_void_p),
    )


def _address_of(function: str) -> int:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, function)))


class Packed:
    """A batch as C reads it: the bytes end to end, where each begins, room for the rows."""

    def __init__(self, raws: Sequence[bytes], row_size: int) -> None:
        self.count = len(raws)
        self.data = b"".join(raws)
        self.offsets = (ctypes.c_uint64 * (self.count + 1))(0, *accumulate(len(raw) for raw in raws))
        self.rows = ctypes.create_string_buffer(self.count * row_size)


class NativeDecoder:
    """`decode_batch` of decode.c."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._decode = library.decode_batch
        self._decode.restype = ctypes.c_size_t
        library.row_size.restype = ctypes.c_size_t
        self.row_size = int(library.row_size())
        self._curve = _Curve(
            int(ffi.cast("uintptr_t", GLOBAL_CONTEXT.ctx)),
            _address_of("secp256k1_ecdsa_recoverable_signature_parse_compact"),
            _address_of("secp256k1_ecdsa_recover"),
            _address_of("secp256k1_ec_pubkey_serialize"),
        )

    def pack(self, raws: Sequence[bytes]) -> Packed:
        """Lay a batch out for C."""
        return Packed(raws, self.row_size)

    def decode(self, batch: Packed) -> int:
        """Decode a batch without the GIL; return how many transactions were accepted."""
        return int(
            self._decode(
                ctypes.byref(self._curve),
                batch.data,
                batch.offsets,
                ctypes.c_size_t(batch.count),
                batch.rows,
            )
        )

    def hashes_and_senders(self, batch: Packed) -> list[tuple[bytes, bytes] | None]:
        """Return what C found for each input of a decoded batch, None where it refused."""
        found: list[tuple[bytes, bytes] | None] = []
        for start in range(0, batch.count * self.row_size, self.row_size):
            row = batch.rows.raw[start : start + self.row_size]
            accepted = any(row[:32])
            found.append((row[:32], row[32:52]) if accepted else None)
        return found


def build_native_decoder() -> NativeDecoder | None:
    """Compile and load the decoder, or return None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="mev-bench-") as folder:
        target = Path(folder) / "decode.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(target), str(SOURCE)]
        built = subprocess.run(command, capture_output=True, check=False)
        if built.returncode != 0:
            return None
        return NativeDecoder(ctypes.CDLL(str(target)))
