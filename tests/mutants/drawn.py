"""A seeded sample of the mutants that cosmic-ray's operators make of some files, one to a place."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Annotations join types with `|`; a value is a value without its decorator and that one's options.
UNFIT = ("core/ReplaceBinaryOperator_BitOr_", "core/RemoveDecorator", "core/Variable")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one place of a file."""

    file: str
    line: int
    column: int
    operator: str
    occurrence: int

    def apply(self, source: str) -> str:
        """Return the source with the change in it."""
        changed = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        assert changed is not None, self
        return str(changed)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.operator.removeprefix('core/')}"


def mutants_of(root: Path, file: str) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    source = (root / file).read_text()
    lines = source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    for name in sorted(operator_names()):
        if name.startswith(UNFIT):
            continue
        operator = get_operator(name)()
        places = [place for node in nodes for place in operator.mutation_positions(node)]
        for occurrence, ((line, column), _) in enumerate(places):
            if lines[line - 1].startswith("@dataclass"):
                continue
            yield Mutant(file, line, column, name, occurrence)


def draw(root: Path, files: list[str], count: int, seed: int) -> list[Mutant]:
    """Return `count` mutants at different places; the same ones for the same seed and sources."""
    places: defaultdict[tuple[str, int, int], list[Mutant]] = defaultdict(list)
    for file in files:
        for mutant in mutants_of(root, file):
            places[mutant.file, mutant.line, mutant.column].append(mutant)
    chance = Random(seed)
    chosen = chance.sample(sorted(places), min(count, len(places)))
    return [chance.choice(places[place]) for place in chosen]
