"""What training steps cost, figure by figure, as it was before memories had levels: two levels keep every one of them.

``golden_steps.json`` holds the figures; nothing in the project writes it. Those of ``ws_only``, ``os_only`` and
``auto`` are of later, when both gradients of the two had got both orientations.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import step_cost, summary
from jaxgrad.hardware import Accelerator, Machine, Memory, PerOperand, Precision, VectorUnit, load_technology
from jaxgrad.programs import LayerGemm, VectorWork

GOLDEN = Path(__file__).parent / "golden_steps.json"
LAYERS = (
    LayerGemm("stem", Gemm(64, 27, 16), times=1, needs_dx=False, x_words=300),
    LayerGemm("depthwise", Gemm(64, 9, 1), times=16, needs_dx=True),
    LayerGemm("wide", Gemm(60, 50, 90), times=2, needs_dx=True, recomputed=2),
    LayerGemm("attention", Gemm(33, 20, 41), times=3, needs_dx=True, weights=False),
    LayerGemm("head", Gemm(5, 40, 10), times=1, needs_dx=True),
)
WORK = (VectorWork("activation", "forward", 900, 300, 300), VectorWork("loss", "backward", 77, 50, 55))
SCHEDULES = ("interleaved", "sequential", "ws_only", "os_only", "auto")
BF16, HOROWITZ = Precision.of("bf16"), load_technology("horowitz-45nm")
MACHINES: dict[str, Machine] = {
    "scratchpad alone": Machine(Accelerator(4, 4)),
    "small": Machine(Accelerator(4, 3), Memory(6144, 4.0, 0.5), BF16, HOROWITZ, VectorUnit(4)),
    "waiting": Machine(
        Accelerator(8, 8, True), Memory(8192, 1.0, double_buffered=False), Precision.of("mxfp8"), HOROWITZ
    ),
    "divided": Machine(
        Accelerator(4, 4),
        Memory(PerOperand(4096, 4096, 4096, 8192, 8192), 8.0, im2col="dram"),
        technology=load_technology("sasiml"),
    ),
    "cores": Machine(Accelerator(8, 4), Memory(8192, 2.0), BF16, HOROWITZ, cores=3, partition="best"),
}
CHOICES = (("separate", "none", "cycles"), ("best", "separate", "cycles"), ("best_of_igo", "none", "dram"))


def figures(name: str, order: str, update: str, plan_for: str) -> dict[str, object]:
    """All counts of each phase by schedule; with a technology also energies and areas."""
    machine = MACHINES[name]
    cost = step_cost(
        LAYERS,
        Emulation(machine.array, weight_update=update),
        SCHEDULES,
        machine=machine,
        order=order,
        plan_for=plan_for,
        vector_work=WORK,
    )
    found: dict[str, object] = {}
    for schedule in cost.schedules:
        own = summary(cost, schedule)
        for part in own.phases:
            counts = {key.name: count for key, count in part.counts.items() if count}
            found[f"{schedule} {part.phase.label}"] = [counts, part.dram_bytes, dict(part.energy_pj)]
        found[schedule] = dict(own.area_um2)
    return found


@pytest.mark.parametrize("choice", CHOICES, ids="-".join)
@pytest.mark.parametrize("name", MACHINES)
def test_two_levels_keep_their_figures(name: str, choice: tuple[str, str, str]) -> None:
    golden = json.loads(GOLDEN.read_text())
    found, wanted = json.loads(json.dumps(figures(name, *choice))), golden[f"{name}-{'-'.join(choice)}"]
    # Python's sum of floats rounds once from 3.12 on, so the last bit of an energy differs; counts do not.
    assert _parted(found, int) == _parted(wanted, int)
    assert _parted(found, float) == pytest.approx(_parted(wanted, float), rel=1e-14)


def _parted(value: object, kind: type, at: str = "") -> dict[str, object]:
    """The numbers of one kind in nested figures, by where they are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {at: value} if isinstance(value, kind) else {}
    return {name: own for key, inner in items for name, own in _parted(inner, kind, f"{at}/{key}").items()}
