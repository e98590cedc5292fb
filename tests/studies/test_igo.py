"""What the notes of ``experiments/igo_small.toml`` say of a baseline that keeps nothing across its loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from jaxgrad.array import forwards, schedules
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.orders import Nests, families
from jaxgrad.costs.problems import problem_of
from jaxgrad.costs.search import Alternatives
from jaxgrad.costs.transfers import Shapes, Storage, dram_bytes, dram_words, needed_bytes, stall_cycles
from jaxgrad.hardware import Machine
from jaxgrad.studies import compute, points, schema
from jaxgrad.studies.store import Store

FILE = Path(__file__).resolve().parents[2] / "experiments" / "igo_small.toml"
SIDE = 45
DX = [(Nest(("dx",), loops),) for loops in ("bkn", "kbn")]  # the sum innermost: nothing spills
DW = [(Nest(("dw",), loops),) for loops in ("knb", "nkb")]
ALTERNATING = [(Nest(("dx",), "bkn"), Nest(("dw",), "nkb")), (Nest(("dx",), "kbn"), Nest(("dw",), "knb"))]
FORWARD = list(families(("y",), "separate"))
KEEPING = [list(families((result,), "separate")) for result in ("dx", "dw")]
MAJOR = [list(families(("dx", "dw"), order)) for order in ("dx_major", "dw_major")]
BY_K = list(families(("dx", "dw"), "k_major"))


def cycles(nests: Sequence[Nests], ways: tuple, shapes: Shapes, machine: Machine) -> float:
    """Of the best of some nests over blocks of ``SIDE``, transfers overlapped; infinite where none fits."""
    assert machine.memory is not None
    storage, precision = Storage.of(machine.memory), machine.precision
    block = {axis: min(SIDE, size) for axis, size in shapes.sizes.items()}
    busy = int(Alternatives(ways).cycles(shapes.sizes, block, machine.array))
    best = np.inf
    for own in nests:
        spare = int(storage.spare_bytes(needed_bytes(own, shapes, block, precision)))
        if spare >= 0:
            moved = dram_bytes(dram_words(own, shapes, block, precision, spare), precision)
            best = min(best, busy + int(stall_cycles(busy, moved, own, shapes, block, storage, precision)))
    return best


def test_the_published_saving_is_about_what_keeping_operands_saves(tmp_path: Path) -> None:
    point = next(each for each in points.expand(schema.load(FILE), FILE) if each.network == "resnet50")
    machine = point.machine
    gemms = compute.demand(point.spec, Store(tmp_path)).gemms
    apart = schedules.find("sequential").alternatives(dw=False), schedules.find("sequential").alternatives(dx=False)
    together = schedules.find("sequential").alternatives()
    sums = dict.fromkeys(("bare", "keeping", "interleaving", "order", "partitioning"), 0.0)
    for gemm in gemms:
        problem = problem_of(gemm, machine)
        shapes = problem.shapes
        forward = cycles(FORWARD, ((forwards.find("ws").mapping,),), shapes, machine)
        bare = cycles(DW, apart[1], shapes, machine)
        keeping = cycles(KEEPING[1], apart[1], shapes, machine)
        own = {"bare": bare, "keeping": keeping}
        if problem.dx:
            own["bare"] += cycles(DX, apart[0], shapes, machine)
            own["keeping"] += cycles(KEEPING[0], apart[0], shapes, machine)
            alternating = cycles(ALTERNATING, (*apart[0], *apart[1]), shapes, machine)
            major = [cycles(nests, together, shapes, machine) for nests in MAJOR]
            by_k = cycles(BY_K, together, shapes, machine)
            own |= {"interleaving": alternating, "order": min(alternating, *major)}
            held = cycles(list(families(("dx", "dw"), "alternating")), (*apart[0], *apart[1]), shapes, machine)
            own["partitioning"] = min(own["keeping"], held, by_k, *major)
        for name in sums:
            alone = own["bare"] if name in ("interleaving", "order") else own["keeping"]
            sums[name] += gemm.times * (forward + own.get(name, alone))
    ratios = {name: total / sums["bare"] for name, total in sums.items()}
    assert 1 / ratios["keeping"] == pytest.approx(1.64, abs=0.005)
    said = {"interleaving": 0.91, "order": 0.79, "partitioning": 0.60, "keeping": 0.61}
    assert {name: ratios[name] for name in said} == pytest.approx(said, abs=0.006)
