"""`mev bench NAME... --report FILE`: the figures of a run as one section of a page, replaced when run again.

The page belongs to the command: whatever stands between a benchmark's two markers is what its latest run
measured, with the command, the commit, the machine and the date. Text outside the markers is kept.
"""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mev_dagster
from mev_dagster.bench.harness import Result
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND

_INTRODUCTION = """# Performance

Each section is written by the command it names (`mev bench NAME --report FILE`), which replaces it when run
again. Ours, the peer and the limit are measured interleaved in one run; budgets are ratios, because absolute
times belong to a machine and a moment. A row that the machine was too busy to judge says so.
"""
_VERDICTS = {True: "kept", False: "**missed**", None: "not judged"}
_CPU_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_MEMORY_KIB = re.compile(r"^MemTotal:\s*(\d+) kB$", re.MULTILINE)
_SECTION = re.compile(r"<!-- bench:(\w+) -->\n.*?<!-- /bench:\1 -->\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure must be read with. Nothing in it tells one machine of a kind from another."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.kernel}, Python {self.python}"
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where figures come from: the command that prints them, the code, the machine, the day."""

    command: str
    commit: str
    machine: Machine
    date: str


def provenance(command: str, clock: Clock, *, page: Path) -> Provenance:
    """Return what can be said of a run of `command` at this moment; `page` itself does not make it dirty."""
    date = datetime.fromtimestamp(clock.wall_ns() // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Provenance(command, commit_of(Path(mev_dagster.__file__).parent, page), this_machine(), date)


def this_machine() -> Machine:
    """Read what the kernel says of the machine."""
    cpu = _CPU_MODEL.search(_read("/proc/cpuinfo"))
    memory = _MEMORY_KIB.search(_read("/proc/meminfo"))
    return Machine(
        cpu=cpu[1] if cpu else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=int(memory[1]) / 2**20 if memory else 0.0,
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def commit_of(folder: Path, page: Path) -> str:
    """Return the commit that `folder` is checked out at, and whether files differ from it."""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return "an installed package, no commit known"
    top = _git(folder, "rev-parse", "--show-toplevel") or str(folder)
    changed = _git(Path(top), "status", "--porcelain", "--untracked-files=no") or ""
    others = [line for line in changed.splitlines() if (Path(top) / line[3:]) != page.resolve()]
    return f"{commit} and changes in {len(others)} files" if others else commit


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def section(name: str, results: Sequence[Result], origin: Provenance) -> str:
    """Return one benchmark's section, its markers included."""
    lines = [
        f"<!-- bench:{name} -->",
        f"## {name}",
        "",
        f"`{origin.command}` at {origin.commit}, {origin.date}  ",
        str(origin.machine),
        "",
        "| figure | value | peer | limit | budget | verdict |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    lines.extend(_line(result) for result in results)
    notes = [f"- {result.name}: {_explained(result)}" for result in results if result.peer or result.note]
    if notes:
        lines.extend(("", *notes))
    return "\n".join((*lines, f"<!-- /bench:{name} -->", ""))


def _line(result: Result) -> str:
    cells = (
        result.name,
        f"{figure(result.value)} {result.unit}",
        _beside(result.peer_value, result.ratio_to_peer),
        _beside(result.limit_value, result.ratio_to_limit),
        result.budget,
        _VERDICTS[result.ok] if result.budget else "",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _explained(result: Result) -> str:
    return "; ".join(part for part in (f"peer: {result.peer}" if result.peer else "", result.note) if part)


def figure(value: float) -> str:
    """Return a figure to four digits, whole numbers in full, as the terminal and the page both show it."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _beside(value: float | None, ratio: float | None) -> str:
    if value is None:
        return ""
    return figure(value) if ratio is None else f"{figure(value)} ({ratio:.3g}x)"


def with_sections(page: str, sections: Mapping[str, str]) -> str:
    """Return a page with these sections in the place of their older ones, new ones at the end."""
    waiting = dict(sections)
    replaced = _SECTION.sub(lambda found: waiting.pop(found[1], found[0]), page or _INTRODUCTION)
    return "\n".join((replaced.rstrip("\n") + "\n", *waiting.values())) if waiting else replaced


def write_sections(page: Path, sections: Mapping[str, str]) -> None:
    """Bring the sections of a page up to date; a run that is killed leaves the older page."""
    older = page.read_text() if page.exists() else ""
    page.parent.mkdir(parents=True, exist_ok=True)
    draft = page.with_suffix(f"{page.suffix}.{os.getpid()}")
    draft.write_text(with_sections(older, sections))
    draft.replace(page)
