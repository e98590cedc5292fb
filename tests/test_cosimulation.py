"""What ``make cosimulation`` draws, and what it takes for a failure; no simulator is needed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm
from jaxgrad.array import schedules
from jaxgrad.rtl.datapath import DATAPATHS, datapath
from jaxgrad.rtl.machine import Machine, machine_of
from jaxgrad.rtl.simulation import Outcome, emulated
from tests import cosimulation

KINDS = len(schedules.SCHEDULES) * 2 * len(DATAPATHS)


def test_every_kind_is_drawn_before_one_comes_again() -> None:
    drawn = list(islice(cosimulation.machines(3), 2 * KINDS))
    for half in (drawn[:KINDS], drawn[KINDS:]):
        assert len({(each.schedule, each.double_buffered, each.name) for each in half}) == KINDS
    assert {(each.rows, each.cols) for each in drawn} > {(1, 1), (3, 1), (1, 2)}
    sizes = [gemm.sizes.values() for each in drawn for gemm in each.gemms]
    assert (1, 1, 1) in map(tuple, sizes)
    assert any(gemm.in_features > 2 * max(each.rows, each.cols) for each in drawn for gemm in each.gemms)
    assert (
        drawn == list(islice(cosimulation.machines(3), 2 * KINDS)) != list(islice(cosimulation.machines(4), 2 * KINDS))
    )


def test_floats_are_special_and_narrow_weights_have_no_zero() -> None:
    chance, gemm = Random(0), Gemm(4, 4, 4)
    words = [cosimulation.operands(datapath("bf16"), gemm, chance)["x"] for _ in range(20)]
    together = np.concatenate(words)
    assert np.isnan(together).any()
    assert np.isinf(together).any()
    assert ((together == 0) & np.signbit(together)).any()
    assert set(np.unique(cosimulation.operands(datapath("int4_int1"), gemm, chance)["w"])) == {-1, 1}


class Wrong:
    """A simulation of hardware that is the emulator, but for what ``change`` does to it."""

    folder = Path()

    def __init__(self, machine: Machine, change: Any) -> None:
        self.machine, self._change = machine, change

    def run(self, program: Any, tensors: Any, *, planes: bool = False) -> Outcome:
        return self._change(emulated(self.machine, program, tensors))


def one_bit(outcome: Outcome) -> Outcome:
    dw = outcome.results["dw"].copy()
    dw[0, 0] ^= 1
    return outcome._replace(results=outcome.results | {"dw": dw})


@pytest.mark.parametrize(
    ("change", "failures"),
    [
        (lambda outcome: outcome, 0),
        (one_bit, 1),
        (lambda outcome: outcome._replace(counters=outcome.counters + outcome.counters), 12),  # three are 0
    ],
    ids=["right", "a bit of a word", "counters"],
)
def test_a_difference_is_a_failure(change: Any, failures: int) -> None:
    gemm = Gemm(2, 2, 2)
    machine = machine_of(schedules.find("interleaved"), Accelerator(2, 2), datapath("int8"))
    tensors = cosimulation.operands(machine.datapath, gemm, Random(0))
    simulated: Any = Wrong(machine, change)
    found = cosimulation.compared(simulated, machine.programs[0], gemm, tensors, watched=False)
    assert found[:4] == (1, 8, 15, 0)
    assert len(found.failures) == failures, found.failures
