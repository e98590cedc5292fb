"""jaxgrad.array.emulation: the face of the core. (That the fidelities are one truth: test_three_truths.)"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgrad import Accelerator, Counters, Emulation, Gemm, backward, count, count_forward, emulate, forward
from jaxgrad.array.counters import NAMES
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.array.forwards import FORWARDS
from jaxgrad.array.schedules import SCHEDULES
from tests import devices
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(2, 3)
B, K, N = 3, 4, 5
GEMM = Gemm(B, K, N)


def layer(dtype: Any = np.float32, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, w and dy of small integers, none of them zero."""
    rng = np.random.default_rng(seed)
    x, w, dy = (rng.integers(1, 4, shape) * rng.choice([-1, 1], shape) for shape in ((B, K), (K, N), (B, N)))
    return x.astype(dtype), w.astype(dtype), dy.astype(dtype)


def ones(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.ones(shape, dtype)


# What a number is and which type it has.


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float64], ids=lambda d: d.dtype.name)
def test_results_have_the_operands_dtype(dtype: Any, fidelity: str) -> None:
    """Zeros, subnormals of the type, infinity and NaN go through; the sums are float32 at least."""
    tiny = float(jnp.finfo(dtype).smallest_subnormal)
    x, w, dy = layer(dtype)
    x[0, :2], w[1, 2], w[2, 2:4], dy[1, :2] = [tiny, 0], -0.0, [np.inf, np.nan], [0, tiny]
    with jax.enable_x64(dtype is jnp.float64):
        dx, dw, counters = emulate(x, w, dy, ARRAY, fidelity=fidelity)
    assert dx is not None
    assert dw is not None
    assert dx.dtype == dw.dtype == dtype
    with np.errstate(invalid="ignore", over="ignore"):
        exact = [(a.astype(np.float64) @ b.astype(np.float64)).astype(dtype) for a, b in ((dy, w.T), (x.T, dy))]
    for got, expected in zip((dx, dw), exact, strict=True):
        # Products of two subnormals may be flushed; all others are exact here.
        np.testing.assert_allclose(np.asarray(got, np.float64), np.asarray(expected, np.float64), atol=4 * tiny)
    met = [(a != 0).astype(int) @ (b != 0).astype(int) for a, b in ((dy, w.T), (x.T, dy))]
    dense = count(GEMM, ARRAY).as_dict()
    assert counters.as_dict() == dense | {"effectual_macs": sum(int(product.sum()) for product in met)}


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_sums_of_float16_do_not_stick(fidelity: str) -> None:
    """float16 cannot tell 2048 + 1 from 2048: 3000 ones add up only in a wider accumulator."""
    batch = 3000
    x, w, dy = (jnp.ones(shape, jnp.float16) for shape in ((batch, 1), (1, 1), (batch, 1)))
    _, dw, _ = emulate(x, w, dy, Accelerator(1, 1), fidelity=fidelity)
    assert dw is not None
    assert (dw.dtype, float(dw[0, 0])) == (jnp.float16, batch)


def test_without_x64_doubles_are_floats_as_everywhere_in_jax() -> None:
    dx, _, _ = emulate(*layer(np.float64), ARRAY)
    assert dx is not None
    assert dx.dtype == jnp.float32


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("double_buffered", [False, True])
def test_x64_changes_no_count(fidelity: str, double_buffered: bool) -> None:
    """Under x64 JAX's own integers are 64 bits wide: a carry or a count that went along would break."""
    array = Accelerator(2, 3, double_buffered)
    with jax.enable_x64(True):
        dx, dw, counters = emulate(*layer(), array, fidelity=fidelity)
        x, w, dy = layer()
        np.testing.assert_array_equal(dx, dy @ w.T)
        np.testing.assert_array_equal(dw, x.T @ dy)
        assert counters.as_dict() == count(GEMM, array).as_dict()


def test_lists_and_numpy_will_do() -> None:
    x: Any = [[1.0, 2.0]]
    dx, dw, _ = emulate(x, np.array([[3.0], [4.0]]), np.array([[5.0]]), ARRAY)
    np.testing.assert_array_equal(dx, [[15, 20]])
    np.testing.assert_array_equal(dw, [[5], [10]])


# Which gradients, and the weight update.


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_computes_what_it_says(schedule: str) -> None:
    x, w, dy = layer()
    dx, dw, counters = emulate(x, w, dy, ARRAY, schedule)
    if schedule == "os":
        assert dx is None
    else:
        np.testing.assert_array_equal(dx, dy @ w.T)
    if schedule == "ws":
        assert dw is None
    else:
        np.testing.assert_array_equal(dw, x.T @ dy)
    assert counters.as_dict() == count(GEMM, ARRAY, schedule).as_dict()


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name not in ("ws", "os")])
@pytest.mark.parametrize(("dx", "dw"), [(True, False), (False, True), (False, False)])
def test_what_is_not_wanted_is_none_and_costs_nothing(schedule: str, dx: bool, dw: bool) -> None:
    x, w, dy = layer()
    got_dx, got_dw, counters = backward(x, w, dy, Emulation(ARRAY, schedule), dx=dx, dw=dw)
    assert (got_dx is not None, got_dw is not None) == (dx, dw)
    counts = counters.as_dict()
    assert counts == count(GEMM, ARRAY, schedule, dx=dx, dw=dw).as_dict()
    assert counts["macs"] == counts["effectual_macs"] == GEMM.macs * (dx + dw)
    if not (dx or dw):
        assert counts == dict.fromkeys(NAMES, 0)


def changes(counters: Counters, base: Counters) -> dict[str, int]:
    pairs = zip(NAMES, counters.as_dict().values(), base.as_dict().values(), strict=True)
    return {name: number - before for name, number, before in pairs if number != before}


APART = {"w_reads": K * N, "dw_reads": K * N, "w_writes": K * N}
IN_PLACE = {"dw_writes": -K * N, "w_writes": K * N}


@pytest.mark.parametrize(
    ("schedule", "update", "dx", "dw", "expected"),
    [
        *[(name, "separate", True, True, APART) for name in SCHEDULES if name not in ("ws", "os")],
        ("interleaved", "in_array", True, True, IN_PLACE),
        # The first layer computes no dX, so that no w is in the array for dW to meet.
        ("interleaved", "in_array", False, True, APART),
        ("interleaved", "separate", False, True, APART),
        # Without dW there is nothing to update with.
        ("interleaved", "in_array", True, False, {}),
        ("sequential", "separate", True, False, {}),
    ],
)
def test_what_the_weight_update_adds(schedule: str, update: str, dx: bool, dw: bool, expected: dict[str, int]) -> None:
    plain = count(GEMM, ARRAY, schedule, dx=dx, dw=dw)
    updated = count(GEMM, ARRAY, schedule, weight_update=update, dx=dx, dw=dw)
    assert changes(updated, plain) == expected
    x, w, dy = layer()
    *_, run = backward(x, w, dy, Emulation(ARRAY, schedule, weight_update=update), dx=dx, dw=dw)
    assert run.as_dict() == updated.as_dict()


@pytest.mark.parametrize("schedule", ["ws", "os"])
def test_a_weight_update_goes_with_dw_alone(schedule: str) -> None:
    updated, plain = (count(GEMM, ARRAY, schedule, weight_update=update) for update in ("separate", "none"))
    assert changes(updated, plain) == (APART if schedule == "os" else {})
    *_, run = emulate(*layer(), ARRAY, schedule, weight_update="separate")
    assert run.as_dict() == updated.as_dict()


def test_auto_goes_by_its_objective() -> None:
    gemm, array = Gemm(8, 16, 2), Accelerator(2, 1)  # worked out in test_schedules
    chosen = {"cycles": "ws_only", "accesses": "interleaved"}
    rng = np.random.default_rng(0)
    x, w, dy = (rng.integers(1, 4, shape).astype(np.float32) for shape in ((8, 16), (16, 2), (8, 2)))
    for objective, schedule in chosen.items():
        expected = count(gemm, array, schedule).as_dict()
        assert count(gemm, array, "auto", objective=objective).as_dict() == expected
        *_, counters = emulate(x, w, dy, array, "auto", objective=objective)
        assert counters.as_dict() == expected


@pytest.mark.parametrize("dataflow", FORWARDS)
def test_forward(dataflow: str) -> None:
    x, w, _ = layer()
    y, counters = forward(x, w, Emulation(ARRAY, forward=dataflow))
    np.testing.assert_array_equal(y, x @ w)
    assert counters.as_dict() == count_forward(GEMM, ARRAY, dataflow).as_dict()


@pytest.mark.parametrize("fidelity", ["tile", "native"])
def test_a_run_counts_past_32_bits(fidelity: str) -> None:
    """2**40 rows of PEs: a made-up array, but its loads and hops come out whole."""
    array = Accelerator(2**40, 3)
    *_, counters = emulate(*layer(), array, fidelity=fidelity, weight_update="in_array")
    counts = counters.as_dict()
    assert counts == count(GEMM, array, weight_update="in_array").as_dict()
    assert counts["cycles"] == 2 * (3 * 2**40 + 3 + 2 * B - 2)


# Under JAX's transformations.


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_under_jit_and_vmap(fidelity: str) -> None:
    """Four layers at once: the counts of each, effectual MACs of its own data among them, add up to those of all."""
    layers = [layer(seed=seed) for seed in range(4)]
    layers[2][0][:, 1] = 0
    x, w, dy = (np.stack(parts) for parts in zip(*layers, strict=True))
    dx, dw, counters = jax.jit(jax.vmap(lambda x, w, dy: emulate(x, w, dy, ARRAY, fidelity=fidelity)))(x, w, dy)
    np.testing.assert_array_equal(dx, dy @ w.swapaxes(1, 2))
    np.testing.assert_array_equal(dw, x.swapaxes(1, 2) @ dy)
    dense = count(GEMM, ARRAY).times(4).as_dict()
    assert counters.sum().as_dict() == dense | {"effectual_macs": dense["effectual_macs"] - B * N}


def test_in_a_scan() -> None:
    """Counters as the carry, from past 2**32 on, as a training run of some length has them."""
    before = Counters.from_dict(dict.fromkeys(NAMES, 2**32 - 1))
    operands = layer()

    @jax.jit
    def run(counters: Counters) -> Counters:
        def step(so_far: Counters, _: None) -> tuple[Counters, None]:
            return so_far + emulate(*operands, ARRAY)[2], None

        return jax.lax.scan(step, counters, None, length=1000)[0]

    assert run(before).as_dict() == (before + count(GEMM, ARRAY).times(1000)).as_dict()


def test_on_data_spread_over_devices() -> None:
    """The batch over four devices: one GEMM still, its counts those of the whole, effectual MACs too."""
    mesh = devices.mesh(4, "data")
    rng = np.random.default_rng(0)
    x, w, dy = (rng.integers(-1, 2, shape).astype(np.float32) for shape in ((8, 3), (3, 2), (8, 2)))
    *_, expected = emulate(x, w, dy, ARRAY)
    over = NamedSharding(mesh, PartitionSpec("data"))
    dx, dw, counters = emulate(jax.device_put(x, over), w, jax.device_put(dy, over), ARRAY)
    np.testing.assert_array_equal(dx, dy @ w.T)
    np.testing.assert_array_equal(dw, x.T @ dy)
    assert counters.as_dict() == expected.as_dict()


def test_equal_emulations_are_one_key() -> None:
    assert len({Emulation(Accelerator(2, 3)), Emulation(Accelerator(2, 3), "interleaved", "native")}) == 1
    assert Emulation(ARRAY) != Emulation(ARRAY, fidelity="tile")


# Bad input. The fields of Accelerator and Gemm: test_hardware, test_gemm.

ANY = Emulation(ARRAY)
NO_NAMES: list[Any] = ["", "nothing", None, 3, ["ws"]]
NO_ARRAYS: list[Any] = [None, 4, (4, 4), "4x4", GEMM, np.ones(2)]
NO_GEMMS: list[Any] = [None, 3, (3, 4, 5), ARRAY]
NO_EMULATIONS: list[Any] = [None, "native", ARRAY]
LISTED = {
    "schedule": ", ".join(SCHEDULES),
    "fidelity": "register, tile, native",
    "forward": "ws, os, is",
    "weight_update": "none, separate, in_array",
    "objective": "cycles, accesses",
}
EMULATIONS = [
    *[
        Refusal(lambda f=f, v=v: Emulation(ARRAY, **{f: v}), f, repr(v), choices)
        for f, choices in LISTED.items()
        for v in NO_NAMES
    ],
    *[Refusal(lambda v=v: Emulation(v), "array", repr(v), "Accelerator(rows, cols)") for v in NO_ARRAYS],
    *[
        Refusal(lambda s=s: Emulation(ARRAY, s, weight_update="in_array"), "weight_update", repr(s), "'separate'")
        for s in SCHEDULES
        if s != "interleaved"
    ],
]
FLOATS = "floats"
MATRIX = "at least one row and one column"
OPERANDS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"x": None}, "x", "NoneType", FLOATS),
    ({"x": "abc"}, "x", "str", FLOATS),
    ({"x": {}}, "x", "dict", FLOATS),
    ({"x": object()}, "x", "object", FLOATS),
    ({"x": [[1.0], [1.0, 2.0]]}, "x", "list", FLOATS),
    ({"x": np.array([["1.0"]])}, "x", "", FLOATS),
    ({"x": ones(B, K, dtype=np.int32)}, "x", "int32", FLOATS),
    ({"x": [[1, 2, 3, 4]]}, "x", "int32", FLOATS),
    ({"w": ones(K, N, dtype=bool)}, "w", "bool", FLOATS),
    ({"w": ones(K, N, dtype=np.complex64)}, "w", "complex64", FLOATS),
    ({"x": jnp.ones((B, K), jnp.float8_e4m3fn)}, "x", "float8_e4m3fn", FLOATS),
    ({"x": 1.0}, "x", "()", MATRIX),
    ({"x": ones(K)}, "x", "(4,)", MATRIX),
    ({"w": ones(1, K, N)}, "w", "(1, 4, 5)", MATRIX),
    ({"x": ones(0, K)}, "x", "(0, 4)", MATRIX),
    ({"w": ones(K, 0)}, "w", "(4, 0)", MATRIX),
    ({"w": ones(3, N)}, "w", "rows 3", "4, as x has columns 4"),
    ({"w": ones(K, N, dtype=np.float16)}, "w", "float16", "float32, as x has"),
    ({"x": ones(B, K, dtype=jnp.bfloat16)}, "w", "float32", "bfloat16, as x has"),
]
COTANGENTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"dy": None}, "dy", "NoneType", FLOATS),
    ({"dy": ones(B, N, dtype=np.int8)}, "dy", "int8", FLOATS),
    ({"dy": ones(N)}, "dy", "(5,)", MATRIX),
    ({"dy": ones(2, N)}, "dy", "rows 2", "3, as x has rows 3"),
    ({"dy": ones(N, B)}, "dy", "rows 5", "3, as x has rows 3"),
    ({"dy": ones(B, 2)}, "dy", "columns 2", "5, as w has columns 5"),
    ({"dy": ones(B, N, dtype=np.float16)}, "dy", "float16", "float32, as x has"),
]

NO_COLUMNS: list[tuple[Any, str]] = [(0, "at least 1"), (K + 1, f"at most {K}"), (2.0, "a whole number")]


def operands(**changed: Any) -> dict[str, Any]:
    return {"x": ones(B, K), "w": ones(K, N), "dy": ones(B, N)} | changed


def forward_operands(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in operands(**changed).items() if name != "dy"}


CALLS = [
    Refusal(lambda: forward(**forward_operands(w=ones(N, K)), emulation=ANY), "w", "rows 5", "4, as x has columns 4"),
    *[Refusal(lambda c=c: forward(**forward_operands(**c), emulation=ANY), *rest) for c, *rest in OPERANDS],
    *[Refusal(lambda c=c: backward(**operands(**c), emulation=ANY), *rest) for c, *rest in OPERANDS + COTANGENTS],
    *[Refusal(lambda c=c: emulate(**operands(**c), array=ARRAY), *rest) for c, *rest in OPERANDS + COTANGENTS],
    *[
        Refusal(lambda f=f, v=v: emulate(**operands(), array=ARRAY, **{f: v}), f, repr(v), LISTED[f])
        for f in LISTED
        if f != "forward"
        for v in NO_NAMES
    ],
    *[Refusal(lambda v=v: emulate(**operands(), array=v), "array", repr(v), "Accelerator") for v in NO_ARRAYS],
    *[
        Refusal(lambda s=s: backward(**operands(), emulation=Emulation(ARRAY, s)), "schedule", f"'{s}'", "interleaved")
        for s in ("ws", "os")
    ],
    Refusal(lambda: backward(**operands(), emulation=Emulation(ARRAY, "ws"), dx=False), "schedule", "'ws'", "dW too"),
    Refusal(lambda: backward(**operands(), emulation=Emulation(ARRAY, "os"), dw=False), "schedule", "'os'", "dX too"),
    *[
        Refusal(lambda call=call, v=v: call(emulation=v), "emulation", repr(v), "Emulation(array")
        for call in (lambda **k: forward(**forward_operands(), **k), lambda **k: backward(**operands(), **k))
        for v in NO_EMULATIONS
    ],
    *[
        Refusal(lambda call=call, v=v: call(v, ARRAY), "gemm", repr(v), "Gemm(batch, in_features, out_features)")
        for call in (count, count_forward)
        for v in NO_GEMMS
    ],
    *[
        Refusal(lambda call=call, v=v: call(GEMM, v), "array", repr(v), "Accelerator(rows, cols)")
        for call in (count, count_forward)
        for v in NO_ARRAYS
    ],
    *[Refusal(lambda v=v: count(GEMM, ARRAY, columns=v), "columns", repr(v), remedy) for v, remedy in NO_COLUMNS],
    *[
        Refusal(lambda f=f, v=v: count(GEMM, ARRAY, **{f: v}), f, repr(v), LISTED[f])
        for f in ("schedule", "weight_update", "objective")
        for v in NO_NAMES
    ],
    Refusal(lambda: count(GEMM, ARRAY, "os", weight_update="in_array"), "weight_update", "'os'", "'separate'"),
    Refusal(lambda: count_forward(GEMM, ARRAY, "sw"), "forward", "'sw'", "ws, os, is"),
]


@pytest.mark.parametrize("refusal", EMULATIONS + CALLS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


@pytest.mark.parametrize("fidelity", [*FIDELITIES, "count"])
def test_counts_that_no_counter_holds_are_refused(fidelity: str) -> None:
    """An array of 2**70 rows takes 2**70 cycles to load: one line says so, and no count wraps around."""

    def run() -> object:
        array = Accelerator(2**70, 3)
        return count(GEMM, array) if fidelity == "count" else emulate(**operands(), array=array, fidelity=fidelity)

    with pytest.raises(ValueError, match=r": got [0-9]+; ") as raised:
        run()
    assert len(str(raised.value).splitlines()) == 1


def test_a_misspelt_schedule_is_guessed() -> None:
    with pytest.raises(ValueError, match="did you mean 'interleaved'"):
        Emulation(ARRAY, "interleave")
