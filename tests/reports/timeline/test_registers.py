"""Recorded registers: the engine's own results and counters, one recorded cycle for each that it counts."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import Accelerator, Gemm, emulate
from jaxgrad.array.restrictions import overlapped_drain
from jaxgrad.array.schedules import INTERLEAVED, INTERLEAVED_K, SEQUENTIAL
from jaxgrad.reports.timeline.registers import Recording, check_small, record
from tests.refusals import Refusal, assert_refused

# Ragged edge tiles; and R > B, where loads and drains bound the time.
CASES = [(False, (3, 5, 4, 2, 3)), (True, (3, 5, 4, 2, 3)), (True, (2, 7, 5, 4, 2))]
MAPPINGS = {"interleaved": INTERLEAVED, "sequential": SEQUENTIAL, "interleaved_k": INTERLEAVED_K}


def tensors(b: int, k: int, n: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(b + k + n)
    shapes = {"x": (b, k), "w": (k, n), "dy": (b, n)}
    return {name: generator.integers(-3, 4, shape).astype(np.float32) for name, shape in shapes.items()}


def recorded(schedule: str, given: dict[str, np.ndarray], array: Accelerator) -> Recording:
    return record(MAPPINGS[schedule], {name: jnp.asarray(values) for name, values in given.items()}, array)


@pytest.mark.parametrize("schedule", MAPPINGS)
@pytest.mark.parametrize(("double_buffered", "sizes"), CASES)
def test_gradients_and_counters_are_those_of_register_fidelity(
    sizes: tuple[int, int, int, int, int], schedule: str, double_buffered: bool
) -> None:
    given, array = tensors(*sizes[:3]), Accelerator(*sizes[3:], double_buffered)
    got = recorded(schedule, given, array)
    dx, dw, counters = emulate(given["x"], given["w"], given["dy"], array, schedule, "register")
    np.testing.assert_array_equal(got.results["dx"], dx)
    np.testing.assert_array_equal(got.results["dw"], dw)
    assert got.counters.as_dict() == counters.as_dict()
    assert len(got.cycles) == counters.as_dict()["cycles"]


def test_a_tile_loads_in_the_cycles_in_which_the_one_before_drains() -> None:
    """Two tiles along n on 2 x 2 PEs: in cycles 8 and 9 the first one's dW leaves and the second one's W comes in."""
    given = tensors(2, 2, 4)
    ((mapping,),) = overlapped_drain("interleaved").runs
    got = record(mapping, {name: jnp.asarray(values) for name, values in given.items()}, Accelerator(2, 2))
    np.testing.assert_array_equal(got.results["dx"], given["dy"] @ given["w"].T)
    np.testing.assert_array_equal(got.results["dw"], given["x"].T @ given["dy"])
    assert len(got.cycles) == got.counters.as_dict()["cycles"] == 18
    np.testing.assert_array_equal(got.cycles[9].registers["w"], given["w"].T[2:])
    np.testing.assert_array_equal(got.cycles[9].registers["acc"], np.zeros((2, 2)))
    np.testing.assert_array_equal(got.cycles[8].drained, got.results["dw"].T[1])


def test_the_weights_stand_in_their_registers_when_the_stream_begins() -> None:
    given = tensors(2, 2, 3)
    cycles = recorded("interleaved", given, Accelerator(3, 2)).cycles
    np.testing.assert_array_equal(cycles[2].registers["w"], given["w"].T)  # rows hold n, columns hold k
    assert cycles[2].h is None
    assert cycles[3].h is not None
    assert cycles[3].h[0, 0] == given["dy"][0, 0]


def test_sums_are_recorded_on_both_links() -> None:
    """One tile of two streamed rows: 4 cycles after the load, sums of dX leave PE (1, 0) downwards, of dW PE (0, 1)."""
    given = tensors(2, 2, 2)
    cycles = recorded("interleaved_k", given, Accelerator(2, 2)).cycles
    np.testing.assert_array_equal(cycles[2].registers["w"], given["dy"].T)  # rows hold n, columns hold b
    down, right = cycles[3], cycles[4]
    assert down.v is not None
    assert right.h is not None
    assert right.h_in is not None
    assert down.v[1, 0] == (given["dy"] @ given["w"].T)[0, 0]
    assert right.h[0, 1] == (given["x"].T @ given["dy"])[0, 0]
    assert right.h_in[0, 1] == given["x"][0, 0] * given["dy"][0, 0]


@pytest.mark.parametrize("refusal", [
    Refusal(lambda: check_small(Gemm(1, 1, 1), Accelerator(9, 2), 10), "animation", "9x2", "of at most 8"),
    Refusal(lambda: check_small(Gemm(500, 6, 6), Accelerator(2, 2), 2000), "animation", "2,000", "at most 1,000"),
])  # fmt: skip
def test_what_no_one_could_watch_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
