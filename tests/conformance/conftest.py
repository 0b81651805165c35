"""What the judges have judged, printed when they are done."""

from collections import Counter

import pytest

JUDGED: Counter[tuple[str, str, str]] = Counter()
"""Cases by engine, fork and what was compared."""
DIFFERENT: Counter[tuple[str, str, str]] = Counter()


@pytest.fixture
def count():
    """Note how many cases an engine and a judge were compared on, and on how many they disagree."""

    def note(engine: str, fork: str, kind: str, cases: int, different: int) -> None:
        JUDGED[engine, fork, kind] += cases
        DIFFERENT[engine, fork, kind] += different

    return note


def pytest_terminal_summary(terminalreporter):
    if not JUDGED:
        return
    terminalreporter.section("conformance: cases against geth, by fork")
    for key in sorted(JUDGED):
        engine, fork, kind = key
        terminalreporter.write_line(
            f"{fork:<10} {engine:<7} {kind:<28} {JUDGED[key]:>7,} cases, {DIFFERENT[key]} differ"
        )
    for engine in sorted({key[0] for key in JUDGED}):
        cases = sum(found for key, found in JUDGED.items() if key[0] == engine)
        terminalreporter.write_line(f"{'all':<10} {engine:<7} {'':<28} {cases:>7,} cases")
