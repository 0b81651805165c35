"""Which of py-evm's classes executes which fork, joined with our state and interpreter."""

from functools import cache, partial
from typing import Any

from eth.vm.forks.berlin import BerlinState
from eth.vm.forks.byzantium import ByzantiumState
from eth.vm.forks.cancun import CancunState
from eth.vm.forks.constantinople import ConstantinopleState
from eth.vm.forks.frontier import FrontierState
from eth.vm.forks.homestead import HomesteadState
from eth.vm.forks.istanbul import IstanbulState
from eth.vm.forks.london import LondonState
from eth.vm.forks.paris import ParisState
from eth.vm.forks.petersburg import PetersburgState
from eth.vm.forks.prague import PragueState
from eth.vm.forks.shanghai import ShanghaiState
from eth.vm.forks.spurious_dragon import SpuriousDragonState
from eth.vm.forks.tangerine_whistle import TangerineWhistleState

from mev_dagster.chain.forks import Fork
from mev_dagster.errors import UnsupportedFork
from mev_dagster.evm.py_evm.bls12_precompiles import bls12_precompiles
from mev_dagster.evm.py_evm.bn254_precompiles import bn254_precompiles
from mev_dagster.evm.py_evm.fast import FastFrame
from mev_dagster.evm.py_evm.modexp import MODEXP_ADDRESS, eip198_gas, eip2565_gas, modexp
from mev_dagster.evm.py_evm.osaka import OsakaComputation
from mev_dagster.evm.py_evm.point_evaluation import POINT_EVALUATION_ADDRESS, point_evaluation
from mev_dagster.evm.py_evm.program import InstructionSet
from mev_dagster.evm.py_evm.reference import ReferenceFrame
from mev_dagster.evm.py_evm.state import JournalState

# fork -> (py-evm state class, computation class). Glacier forks and BPO forks change no opcode.
_RULES = {
    Fork.FRONTIER: (FrontierState, FrontierState.computation_class),
    Fork.HOMESTEAD: (HomesteadState, HomesteadState.computation_class),
    Fork.DAO: (HomesteadState, HomesteadState.computation_class),
    Fork.TANGERINE_WHISTLE: (TangerineWhistleState, TangerineWhistleState.computation_class),
    Fork.SPURIOUS_DRAGON: (SpuriousDragonState, SpuriousDragonState.computation_class),
    Fork.BYZANTIUM: (ByzantiumState, ByzantiumState.computation_class),
    Fork.CONSTANTINOPLE: (ConstantinopleState, ConstantinopleState.computation_class),
    Fork.PETERSBURG: (PetersburgState, PetersburgState.computation_class),
    Fork.ISTANBUL: (IstanbulState, IstanbulState.computation_class),
    Fork.MUIR_GLACIER: (IstanbulState, IstanbulState.computation_class),
    Fork.BERLIN: (BerlinState, BerlinState.computation_class),
    Fork.LONDON: (LondonState, LondonState.computation_class),
    Fork.ARROW_GLACIER: (LondonState, LondonState.computation_class),
    Fork.GRAY_GLACIER: (LondonState, LondonState.computation_class),
    Fork.PARIS: (ParisState, ParisState.computation_class),
    Fork.SHANGHAI: (ShanghaiState, ShanghaiState.computation_class),
    Fork.CANCUN: (CancunState, CancunState.computation_class),
    Fork.PRAGUE: (PragueState, PragueState.computation_class),
    Fork.OSAKA: (PragueState, OsakaComputation),
    Fork.BPO1: (PragueState, OsakaComputation),
    Fork.BPO2: (PragueState, OsakaComputation),
}


def supports(fork: Fork) -> bool:
    """Say whether this engine knows the fork's rules."""
    return fork in _RULES


@cache
def state_class(fork: Fork, *, reference: bool = False) -> type[JournalState]:
    """Return the state class of a fork with one of the two interpreters, or raise `UnsupportedFork`."""
    if fork not in _RULES:
        raise UnsupportedFork(
            f"{fork.name} is past {max(_RULES).name}, the last fork py-evm's layers implement"
        )
    base_state, base_computation = _RULES[fork]
    fields: dict[str, Any] = {
        "_precompiles": {**base_computation.get_precompiles(), **_our_precompiles(fork)},
    }
    if not reference:
        fields["instruction_set"] = InstructionSet(base_computation.opcodes, warmth=fork >= Fork.BERLIN)
    frame = ReferenceFrame if reference else FastFrame
    computation = type(f"{fork.name}Computation", (frame, base_computation), fields)
    return type(f"{fork.name}State", (JournalState, base_state), {"computation_class": computation})


def _our_precompiles(fork: Fork) -> dict[bytes, Any]:
    """Return the precompiles that replace py-evm's."""
    found: dict[bytes, Any] = bn254_precompiles(fork) if fork >= Fork.BYZANTIUM else {}
    if Fork.BYZANTIUM <= fork < Fork.OSAKA:
        found[MODEXP_ADDRESS] = partial(modexp, price=eip2565_gas if fork >= Fork.BERLIN else eip198_gas)
    if fork >= Fork.CANCUN:
        found[POINT_EVALUATION_ADDRESS] = point_evaluation
    if fork >= Fork.PRAGUE:
        found |= bls12_precompiles()
    return found
