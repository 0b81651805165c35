"""Addresses as settings take them: readable, of a scheme that can be spoken, and never shown whole."""

from urllib.parse import urlsplit

from pydantic import AfterValidator

from mev_dagster.telemetry.logging import public_address

WEB = ("http", "https")
NODE = ("ws", "wss", *WEB)


def address(*schemes: str, or_path: bool = False) -> AfterValidator:
    """Return the check of an address: of one of these schemes, of any where none is named.

    `or_path` lets a path of this machine stand for one: a node's IPC socket.
    """
    return AfterValidator(lambda value: _checked(value, schemes, or_path))


def _checked(value: str | None, schemes: tuple[str, ...], or_path: bool) -> str | None:
    if value is None or (or_path and "://" not in value and ("/" in value or value.endswith(".ipc"))):
        return value
    if (wrong := _wrong(value, schemes)) is not None:
        wanted = " or ".join(f"{scheme}://host[:port]" for scheme in schemes) or "scheme://host[:port]"
        # The value may hold a credential: only what every address may show is said of it.
        raise ValueError(f"expected {wanted}{' or a path' if or_path else ''}: {wrong}")
    return value


def _wrong(value: str, schemes: tuple[str, ...]) -> str | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "its host or port cannot be read"
    if "://" not in value:
        return "it has no scheme"
    if schemes and parts.scheme not in schemes:
        return f"found {parts.scheme}://"
    if not parts.hostname:
        return "it names no host"
    return f"found {public_address(value)!r}" if any(char.isspace() for char in value) else None
