"""The home's token: who can read the home's files may change its state, a web page cannot."""

import contextlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from mev_dagster.errors import InputError

FILE = "access.token"
SCHEME = "Bearer "


def home_token(home: Path) -> str:
    """Return the token of a home; the first to ask makes it, readable by its owner alone."""
    path = home / FILE
    home.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        _write_once(path)
    return _read(path)


def bearer(home: Path) -> dict[str, str]:
    """Return the header that shows the home's token."""
    return {"authorization": SCHEME + home_token(home)}


def shows(header: str, token: str) -> bool:
    """Say whether an Authorization header shows the token, in constant time."""
    scheme, found = header[: len(SCHEME)], header[len(SCHEME) :].strip()
    return scheme.lower() == SCHEME.lower() and hmac.compare_digest(found.encode(), token.encode())


def _read(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
    token = path.read_text().strip()
    if not token:
        raise InputError(f"{path} is empty: delete it and a new token is made")
    return token


def _write_once(path: Path) -> None:
    """Write a whole token under the name, or leave the one another process was first to write."""
    draft = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
