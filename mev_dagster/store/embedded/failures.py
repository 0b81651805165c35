"""What the engine said when a statement failed, also where it named bytes that are no text.

chDB decodes its own messages strictly. By the Python it runs in, one that names binary values arrives as a
UnicodeDecodeError that holds it, or as an error without a message; then the engine is asked for its last one.
"""

from collections.abc import Callable
from importlib import resources

ENGINE_FAILURES = (RuntimeError, UnicodeDecodeError)
LOST_MESSAGE_SQL = (resources.files("mev_dagster.store.embedded") / "lost_message.sql").read_text()


def message(error: BaseException, last: Callable[[], bytes]) -> str:
    """Return what the engine said; `last` asks it for its last failure that was no text."""
    origin = error if isinstance(error, UnicodeDecodeError) else error.__cause__ or error
    if isinstance(origin, UnicodeDecodeError):
        return _text(origin.object)
    if not str(origin).strip():
        return _text(last()) or str(error)
    return str(error)


def _text(said: bytes) -> str:
    return said.decode("utf-8", "backslashreplace").strip()
