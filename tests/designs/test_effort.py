"""Which way of searching a space takes less: by counting, with no clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.array.gemm import Gemm
from jaxgrad.designs import effort as module
from jaxgrad.designs import schema
from jaxgrad.designs.effort import effort
from jaxgrad.programs import LayerGemm

LAYERS = [LayerGemm("conv", Gemm(400, 72, 12), 2, needs_dx=True), LayerGemm("head", Gemm(8, 30, 10), 1, needs_dx=True)]
SIZES = {"first": 4, "last": 64, "step": 4}
MEMORY = {"sram_kib": [16, 32], "dram_gb_per_s": [1.0, 4.0]}


def space(networks: int = 1, **changes: Any) -> schema.Sweep:
    workload = {"layers": [[1, 1]], "batch": list(range(1, networks + 1))}
    return schema.check({"workload": workload, "space": {"rows": SIZES, "cols": SIZES, **changes}}, "F")


def test_more_designs_take_longer_and_more_descents_do_not() -> None:
    few, many, most = (
        effort(space(1, **MEMORY | {"sram_kib": list(range(1, count))}), [LAYERS]) for count in (3, 300, 19000)
    )
    assert few.every_s < many.every_s < most.every_s
    # Descents cost a few designs each, so that what they take levels off.
    assert few.descents_s < many.descents_s == most.descents_s
    assert few.every_is_less
    assert not most.every_is_less


@pytest.mark.parametrize("memory", [{}, MEMORY])
def test_networks_and_kinds_add_up(memory: dict[str, Any]) -> None:
    one = effort(space(**memory), [LAYERS])
    two = effort(space(2, **memory), [LAYERS, LAYERS])
    assert two == pytest.approx((2 * one.every_s, 2 * one.descents_s))
    precise = effort(space(**memory, precision=["bf16", "int8"]), [LAYERS])
    assert precise == pytest.approx((2 * one.every_s, 2 * one.descents_s))


def test_too_many_designs_are_not_all_costed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert effort(space(), [LAYERS]).every_is_less
    monkeypatch.setattr(module, "MOST_TOGETHER", 255)
    assert effort(space(), [LAYERS]).every_s == float("inf")


@pytest.mark.parametrize("name", ["small", "search", "resnet50"])
def test_spaces_of_the_experiments_are_small(name: str) -> None:
    """As measured: on small.toml 32 s of processor time for all designs, and 123 s for descents."""
    sweep = schema.load(Path(__file__).parents[2] / f"experiments/sweeps/{name}.toml")
    assert effort(sweep, [LAYERS]).every_is_less
