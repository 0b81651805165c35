"""Imports point down only (docs/architecture.md)."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# A module may import from its own layer and from any layer below it.
LAYERS = [
    {"cli", "commands", "definitions", "__main__"},
    {"assets", "sensors"},
    {"resources", "platform", "demo", "bench", "reports", "drills"},
    {"blockrun", "replay"},
    {"ingest", "search", "labels", "backtest", "pbs"},
    {"windows", "captures", "features"},
    {"devp2p", "evm", "dex", "store", "node", "events"},
    {"chain", "telemetry", "serving", "settings", "errors", "hexadecimal", "plugins", "units"},
]
RANK = {room: len(LAYERS) - index for index, rooms in enumerate(LAYERS) for room in rooms}
TOP_LEVEL = {"assets", "sensors", "resources"}


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] in TOP_LEVEL:
        return parts[0]
    return parts[1].removesuffix(".py")


def imported_rooms(path: Path) -> set[tuple[str, int]]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "mev_dagster":
                names = [f"mev_dagster.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "mev_dagster" and len(parts) > 1:
                found.add((parts[1], node.lineno))
            elif parts[0] in TOP_LEVEL:
                found.add((parts[0], node.lineno))
    return found


def sources() -> list[Path]:
    folders = [ROOT / "mev_dagster", *(ROOT / name for name in sorted(TOP_LEVEL))]
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if path.name != "__init__.py" or path.parent != ROOT / "mev_dagster"
    ]


def test_every_room_has_a_layer():
    unknown = {room_of(path) for path in sources()} - set(RANK)
    assert not unknown


def test_imports_point_down():
    wrong = []
    for path in sources():
        room = room_of(path)
        for target, line in imported_rooms(path):
            if target in RANK and target != room and RANK[target] > RANK[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} {room} imports {target}, which is above it")
    assert not wrong, "\n".join(wrong)


def test_only_the_top_imports_dagster():
    allowed = {"definitions", "assets", "sensors", "resources"}
    wrong = []
    for path in sources():
        if room_of(path) in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            )
            if any(name.split(".")[0] == "dagster" for name in names):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)
