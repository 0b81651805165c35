"""Questions asked side by side, each in a thread of its own, with one deadline for all of them."""

import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def answers_within(seconds: float, questions: Mapping[str, Callable[[], T]]) -> dict[str, T | Exception]:
    """Return what each question came to, an error as itself; what has no answer by the deadline is left out.

    The threads of those go on by themselves and end with the process at the latest.
    """
    told: SimpleQueue[tuple[str, T | Exception]] = SimpleQueue()

    def ask(name: str, question: Callable[[], T]) -> None:
        try:
            told.put((name, question()))
        except Exception as error:
            told.put((name, error))

    deadline = time.monotonic() + seconds
    for name, question in questions.items():
        threading.Thread(target=ask, args=(name, question), name=f"ask {name}", daemon=True).start()
    found: dict[str, T | Exception] = {}
    while len(found) < len(questions) and (left := deadline - time.monotonic()) > 0:
        try:
            name, answer = told.get(timeout=left)
        except Empty:
            break
        found[name] = answer
    return found
