"""jaxgrad.array.execute: a mapping on data, at each fidelity. (What schedules run: test_three_truths.)"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.array import execute, wide
from jaxgrad.array.execute import FIDELITIES
from jaxgrad.array.mapping import AXES, OPERANDS, Mapping, Product, Result
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.array.schedules import DW_OS, DX_WS, SEQUENTIAL
from jaxgrad.hardware import Accelerator
from tests.traces import precisions

SIZES = {"b": 3, "k": 4, "n": 5}

# dX on OS and dW on WS, sharing dY^T: dY is interleaved again, but the dataflows have changed places.
SWAPPED = Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")


def tensors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {name: tuple(SIZES[axis] for axis in AXES[name]) for name in ("x", "w", "dy")}
    return {name: rng.integers(-2, 3, shape).astype(np.float32) for name, shape in shapes.items()}


def gradients(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"dx": data["dy"] @ data["w"].T, "dw": data["x"].T @ data["dy"]}


@pytest.mark.parametrize("double_buffered", [False, True], ids=["serial", "double_buffered"])
def test_a_mapping_that_no_schedule_has(double_buffered: bool) -> None:
    array, data = Accelerator(2, 3, double_buffered), tensors()
    counts = []
    for fidelity in FIDELITIES:
        outputs, counters = jax.jit(lambda data, at=fidelity: execute.run(SWAPPED, data, array, at))(data)
        assert outputs.keys() == {"dx", "dw"}
        for name, expected in gradients(data).items():
            np.testing.assert_array_equal(outputs[name], expected)
        counts.append(counters.as_dict())
    assert counts[0] == counts[1] == counts[2]
    # dY[3, 5], once for each of 2 tiles of k; W and dX by the OS slot, X and dW by the WS slot, 2 tiles of b.
    expected = {
        "dy_reads": 30, "w_reads": 40, "x_reads": 12, "psum_reads": 20, "psum_writes": 40 + 12, "dw_writes": 0,
    }  # fmt: skip
    assert counts[0] | expected == counts[0]


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_the_array_multiplies_float32_whatever_the_device_prefers(fidelity: str) -> None:
    """A GPU multiplies in TF32 unless it is told otherwise, and a user may tell it to; no PE does."""
    with jax.default_matmul_precision("bfloat16"):
        trace = jax.make_jaxpr(lambda data: execute.run(SWAPPED, data, Accelerator(2, 3), fidelity))(tensors())
    multiplied = precisions(trace.jaxpr)
    assert bool(multiplied) == (fidelity != "register")  # which multiplies element by element
    assert set(multiplied) <= {(jax.lax.Precision.HIGHEST,) * 2}


def test_without_shadow_registers_slots_in_turn_are_passes_one_after_the_other() -> None:
    array, data = Accelerator(2, 3), tensors()
    run = jax.jit(lambda data: [execute.run(m, data, array, "register") for m in (SEQUENTIAL, DX_WS[0], DW_OS[0])])
    (outputs, counters), (dx, ws), (dw, os) = run(data)
    assert counters.as_dict() == (ws + os).as_dict()
    assert outputs.keys() == {"dx", "dw"}
    np.testing.assert_array_equal(outputs["dx"], dx["dx"])
    np.testing.assert_array_equal(outputs["dw"], dw["dw"])


@pytest.mark.parametrize("result", ["y", "dx", "dw"])
@given(seed=st.integers(0, 2**16))
def test_effectual_macs_are_those_of_the_data(result: Result, seed: int) -> None:
    data = tensors(seed)
    first, second = OPERANDS[result]
    nonzero = (np.asarray(data[name] != 0, int) for name in (first, second))
    expected = np.einsum(f"{AXES[first]},{AXES[second]}->{AXES[result]}", *nonzero).sum()
    count = execute.effectual_macs(result, {name: jnp.asarray(values) for name, values in data.items()})
    assert (int(count.high), int(count.low)) == (0, expected)


def test_counters_take_python_ints_and_traced_pairs() -> None:
    slots = (
        SlotEvents(macs=2**40, effectual_macs=wide.of(2**33), operand_reads=5),
        SlotEvents(macs=2**40, effectual_macs=wide.of(2**33 - 1), operand_reads=wide.of(2**50), result_writes=3),
    )
    counters = execute.counters(Events(wide.of(2**62), 7, 2**35, slots), SEQUENTIAL)
    counted = {name: count for name, count in counters.as_dict().items() if count}
    assert counted == {
        "cycles": 2**62, "macs": 2**41, "effectual_macs": 2**34 - 1, "w_reads": 5, "x_reads": 2**50, "dy_reads": 7,
        "dw_writes": 3, "dy_hops": 2**35,
    }  # fmt: skip
