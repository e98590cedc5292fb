"""``emulated(fn)``: the function's own values, and the closed form's counts, through every composition."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array, lax
from jax.sharding import PartitionSpec

from jaxgrad import Accelerator, Counters, Emulation, Gemm, count, count_forward, emulated
from jaxgrad.autodiff import dot_general, new_tap, read_tap
from jaxgrad.execute import FIDELITIES
from jaxgrad.flax import put_on_array, value_and_grad
from jaxgrad.hardware import Precision
from jaxgrad.profiling import profile
from jaxgrad.transform import Tally
from tests.layers import CONVOLUTIONS, Conv, integers, sparse_integers
from tests.refusals import Refusal, assert_refused

ARRAY = Accelerator(3, 4)
EMULATION = Emulation(ARRAY, fidelity="tile")
at_each_fidelity = pytest.mark.parametrize("fidelity", FIDELITIES)
Counts = dict[str, int]


def shape_counts(counters: Counters) -> Counts:
    """All that shapes decide."""
    return {name: number for name, number in counters.as_dict().items() if name != "effectual_macs"}


def closed_form(*parts: Counters) -> Counts:
    return shape_counts(sum(parts, start=Counters.zero()))


def forwards(*gemms: Gemm) -> Counts:
    return closed_form(*(count_forward(gemm, ARRAY) for gemm in gemms))


def backwards(*gemms: Gemm, schedule: str = "interleaved") -> Counts:
    return closed_form(*(count(gemm, ARRAY, schedule) for gemm in gemms))


def assert_equal(got: Any, expected: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, got, expected)


def weights(*shape: int, seed: int = 1) -> Array:
    return jnp.asarray(integers(seed, *shape))


def dense(w: Array, x: Array) -> Array:
    return jax.nn.relu(x @ w).sum()


X, W, V = jnp.asarray(sparse_integers(0, 5, 6)), weights(6, 7), weights(7, 3, seed=2)
XW, XWV = Gemm(5, 6, 7), Gemm(5, 7, 3)


def two(ws: tuple[Array, Array], x: Array) -> Array:
    return (jax.nn.relu(x @ ws[0]) @ ws[1]).sum()


BOTH = (jax.grad(two, (0, 1)), ((W, V), X))


def test_a_function_gives_its_values_and_counts() -> None:
    out, tally = emulated(two, EMULATION)((W, V), X)
    assert_equal(out, two((W, V), X))
    assert shape_counts(tally.forward) == forwards(XW, XWV)
    assert tally.backward.as_dict() == Counters.zero().as_dict()
    hidden = np.maximum(np.asarray(X) @ np.asarray(W), 0)
    live = [np.asarray(each) != 0 for each in (X, W, hidden, V)]
    effectual = int((live[0].astype(int) @ live[1]).sum() + (live[2].astype(int) @ live[3]).sum())
    assert tally.total.as_dict()["effectual_macs"] == effectual


@at_each_fidelity
@pytest.mark.parametrize("double_buffered", [False, True])
def test_gradients_inside_run_in_one_pass(fidelity: str, double_buffered: bool) -> None:
    array = Accelerator(3, 4, double_buffered=double_buffered)
    function, args = BOTH
    out, tally = jax.jit(emulated(function, Emulation(array, fidelity=fidelity)))(*args)
    assert_equal(out, function(*args))
    assert shape_counts(tally.backward) == closed_form(count(XW, array), count(XWV, array))
    assert tally.notes == ()
    assert [shape_counts(own.backward) for own in tally.sites.values()] == [
        shape_counts(count(XW, array)),
        shape_counts(count(XWV, array)),
    ]


@pytest.mark.parametrize("schedule", ["sequential", "ws_only", "os_only", "auto"])
def test_every_schedule(schedule: str) -> None:
    function, args = BOTH
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulated(function, Emulation(ARRAY, schedule, fidelity)))(*args)
        assert_equal(out, function(*args))
        assert shape_counts(tally.backward) == backwards(XW, XWV, schedule=schedule)


@at_each_fidelity
def test_gradients_outside_equal_those_inside_and_the_tap_tells(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    function, args = BOTH
    inside, tally = jax.jit(emulated(function, emulation))(*args)
    run = emulated(two, emulation)

    @jax.jit
    def outside(*args: Any) -> Any:
        return jax.grad(lambda ws, x, tap: run.tapped(tap, ws, x)[0], (0, 1, 2))(*args, new_tap())

    *gradients, cotangent = outside(*args)
    assert_equal(tuple(gradients), inside)
    told = read_tap(cotangent)
    assert told.forward.as_dict() == tally.forward.as_dict()
    assert told.backward.as_dict() == tally.backward.as_dict()
    assert_equal(jax.grad(lambda ws: run(ws, X)[0])((W, V)), inside[0])


def test_gradients_outside_of_what_is_not_wanted_cost_nothing() -> None:
    run = emulated(two, EMULATION)
    _, tap = jax.grad(lambda w, tap: run.tapped(tap, (w, V), X)[0], (0, 1))(W, new_tap())
    assert shape_counts(read_tap(tap).backward) == closed_form(count(XW, ARRAY, dx=False), count(XWV, ARRAY, dw=False))


def scanned(w: Array, xs: Array) -> Array:
    def body(carry: Array, x: Array) -> tuple[Array, Array]:
        carry = jax.nn.relu(carry @ w) + x
        carry = carry - 3.0 * (carry > 20)
        return carry, carry.sum()

    last, sums = lax.scan(body, xs[0], xs)
    return last.sum() + sums.sum()


def test_scan() -> None:
    w, xs = weights(4, 4), jnp.asarray(sparse_integers(3, 3, 2, 4))
    gemm = Gemm(2, 4, 4)
    for fidelity in FIDELITIES:
        emulation = Emulation(ARRAY, fidelity=fidelity)
        for function in (jax.grad(scanned, (0, 1)), jax.jit(jax.value_and_grad(scanned, (0, 1)))):
            out, tally = jax.jit(emulated(function, emulation))(w, xs)
            assert_equal(out, function(w, xs))
            assert shape_counts(tally.forward) == forwards(*[gemm] * 3)
            assert shape_counts(tally.backward) == backwards(*[gemm] * 3)
        run = emulated(scanned, emulation)
        out, tap = jax.grad(lambda w, tap, run=run: run.tapped(tap, w, xs)[0], (0, 1))(w, new_tap())
        assert_equal(out, jax.grad(scanned)(w, xs))
        assert shape_counts(read_tap(tap).backward) == backwards(*[gemm] * 3)


def test_scan_over_an_emulated_function() -> None:
    run = emulated(dense, EMULATION)
    xs = jnp.stack([X, 2 * X, -X])
    sums, tally = lax.scan(lambda carry, x: (carry, run(W, x)), None, xs)[1]
    assert_equal(sums, jnp.stack([dense(W, x) for x in xs]))
    assert shape_counts(tally.sum().total) == forwards(*[XW] * 3)


def test_loops_and_branches() -> None:
    w = weights(4, 4)

    def function(w: Array, x: Array, times: Array) -> Array:
        x = lax.fori_loop(0, times, lambda _, x: jnp.sign(x @ w), x)
        return lax.cond(x.sum() > 1000, lambda x: (x @ w) @ w, lambda x: x + 1, x)

    out, tally = jax.jit(emulated(function, EMULATION))(w, w, 4)
    assert_equal(out, function(w, w, jnp.asarray(4)))
    assert shape_counts(tally.total) == forwards(*[Gemm(4, 4, 4)] * 4)  # and none of the branch that is not taken


@at_each_fidelity
def test_products_in_a_loops_condition_count_once_more_than_the_rounds(fidelity: str) -> None:
    def function(w: Array, limit: Array) -> Array:
        return lax.while_loop(lambda x: (x @ w[:, :2]).sum() < limit, lambda x: x + w @ w, w)

    square, limits = jnp.ones((3, 3)), jnp.array([0.0, 100.0, 200.0])
    run = jax.vmap(emulated(function, Emulation(ARRAY, fidelity=fidelity)), (None, 0))
    outs, tally = jax.jit(run)(square, limits)
    assert_equal(outs, jax.vmap(function, (None, 0))(square, limits))
    assert tally.notes == ()
    rounds = [int((out[0, 0] - 1) / 3) for out in outs]
    assert rounds == [0, 2, 4]
    bodies, tests = [Gemm(3, 3, 3)] * sum(rounds), [Gemm(3, 3, 2)] * (sum(rounds) + 3)
    assert shape_counts(tally.sum().forward) == forwards(*bodies, *tests)


@at_each_fidelity
def test_remat_runs_forward_products_again(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    def function(ws: tuple[Array, Array], x: Array) -> Array:
        block = jax.checkpoint(lambda w, x: jnp.maximum(jnp.maximum(x @ w, 0) @ w.T, 0))
        return (block(ws[0], x) @ ws[1]).sum()

    w, v = weights(6, 7), weights(6, 2)
    gradient = jax.grad(function)
    out, tally = jax.jit(emulated(gradient, emulation))((w, v), X)
    assert_equal(out, gradient((w, v), X))
    one, other, last = Gemm(5, 6, 7), Gemm(5, 7, 6), Gemm(5, 6, 2)
    # The second product is linear's: only its relu needs it, so it runs again too.
    assert shape_counts(tally.forward) == forwards(one, other, last, one, other)
    assert shape_counts(tally.backward) == closed_form(
        count(one, ARRAY, dx=False), count(other, ARRAY), count(last, ARRAY)
    )
    run = emulated(function, emulation)
    assert_equal(jax.jit(jax.grad(lambda ws: run(ws, X)[0]))((w, v)), out)


def test_vmap_inside_is_part_of_the_gemm_and_outside_an_axis_of_the_counters() -> None:
    xs = jnp.stack([X, X + 1, 2 * X])
    function = jax.vmap(dense, (None, 0))
    out, tally = emulated(function, EMULATION)(W, xs)
    assert_equal(out, function(W, xs))
    assert shape_counts(tally.total) == forwards(Gemm(15, 6, 7))
    out, tally = jax.vmap(emulated(dense, EMULATION), (None, 0))(W, xs)
    assert_equal(out, function(W, xs))
    assert tally.total.low.shape[0] == 3
    assert shape_counts(tally.sum().total) == forwards(*[XW] * 3)
    gradient, tally = jax.vmap(emulated(jax.grad(dense), EMULATION), (None, 0))(W, xs)
    assert_equal(gradient, jax.vmap(jax.grad(dense), (None, 0))(W, xs))
    assert shape_counts(tally.sum().backward) == closed_form(*[count(XW, ARRAY, dx=False)] * 3)


@at_each_fidelity
def test_batched_products_are_a_gemm_an_element(fidelity: str) -> None:
    x, w = jnp.asarray(sparse_integers(0, 2, 5, 6)), weights(2, 6, 3)
    function = jax.grad(lambda x, w: jax.nn.relu(jnp.einsum("gbk,gkn->gbn", x, w)).sum(), (0, 1))
    out, tally = jax.jit(emulated(function, Emulation(ARRAY, fidelity=fidelity)))(x, w)
    assert_equal(out, function(x, w))
    assert shape_counts(tally.backward) == backwards(*[Gemm(5, 6, 3)] * 2)


@pytest.mark.parametrize(
    "formula",
    [
        "abk,kmn->abmn",
        "abkl,lkn->abn",
        "kba,kn->abn",
        "gab,gbc->gac",
        "bhqd,bkhd->bhqk",
    ],
)
def test_axes_in_any_order(formula: str) -> None:
    sizes = dict(zip("abcdghklmnq", (2, 3, 4, 2, 2, 3, 4, 3, 2, 5, 3), strict=True))
    left, right = (tuple(sizes[axis] for axis in term) for term in formula.split("->")[0].split(","))
    x, w = jnp.asarray(sparse_integers(0, *left)), weights(*right)

    def function(x: Array, w: Array) -> Array:
        return (jnp.einsum(formula, jnp.maximum(x, 0), w) ** 2).sum()

    gradient = jax.grad(function, (0, 1))
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulated(gradient, Emulation(ARRAY, fidelity=fidelity)))(x, w)
        assert_equal(out, gradient(x, w))
        (record,) = profile(gradient, x, w).gemms
        assert shape_counts(tally.backward) == backwards(*[record.gemm] * record.times), record
        assert shape_counts(tally.forward) == forwards(*[record.gemm] * record.times)


def test_gradients_by_example() -> None:
    function = jax.vmap(jax.grad(dense, (0, 1)), (None, 0))
    xs = jnp.stack([X, X + 1, 2 * X])
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulated(function, Emulation(ARRAY, fidelity=fidelity)))(W, xs)
        assert_equal(out, function(W, xs))
        assert shape_counts(tally.backward) == backwards(*[XW] * 3)


def test_the_weights_may_stand_left() -> None:
    def function(w: Array, v: Array, x: Array) -> Array:
        return (v @ jax.nn.relu(w @ x)).sum()

    gradient = jax.grad(function, (0, 1))
    args = (weights(7, 6), weights(2, 7), X.T)
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulated(gradient, Emulation(ARRAY, fidelity=fidelity)))(*args)
        assert_equal(out, gradient(*args))
        assert shape_counts(tally.forward) == forwards(XW, Gemm(5, 7, 2))
        assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False), count(Gemm(5, 7, 2), ARRAY))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    conv: Conv = CONVOLUTIONS[name]
    x, w = jnp.asarray(sparse_integers(0, *conv.lhs)), jnp.asarray(sparse_integers(1, *conv.rhs))

    def function(x: Array, w: Array) -> Array:
        return (lax.conv_general_dilated(x, w, *conv.arguments, **conv.options) ** 2).sum()

    gradient = jax.grad(function, (0, 1))
    (record,) = profile(gradient, x, w).gemms
    for fidelity in ("native", "tile"):
        emulation = Emulation(ARRAY, fidelity=fidelity)
        out, tally = jax.jit(emulated(gradient, emulation))(x, w)
        assert_equal(out, gradient(x, w))
        assert tally.notes == ()
        assert shape_counts(tally.forward) == forwards(*[record.gemm] * record.times)
        assert shape_counts(tally.backward) == backwards(*[record.gemm] * record.times)
        run = emulated(function, emulation)
        outside = jax.jit(jax.grad(lambda x, w, tap, run=run: run.tapped(tap, x, w)[0], (0, 1, 2)))(x, w, new_tap())
        assert_equal(outside[:2], out)
        assert read_tap(outside[2]).total.as_dict() == tally.total.as_dict()


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("check_vma", [True, False])
@at_each_fidelity
def test_shard_map(inside: bool, check_vma: bool, fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, whole = PartitionSpec("data"), PartitionSpec()
    x = jnp.asarray(sparse_integers(0, 8, 6))

    def step(w: Array, x: Array) -> Any:
        return lax.psum(jax.grad(lambda w: dense(w, x))(lax.pcast(w, "data", to="varying") if check_vma else w), "data")

    shard = functools.partial(jax.shard_map, mesh=mesh, in_specs=(whole, rows), check_vma=check_vma)
    if inside:
        out, tally = jax.jit(emulated(shard(step, out_specs=whole), emulation))(W, x)
    else:

        def counted(w: Array, x: Array) -> tuple[Array, Tally]:
            out, tally = emulated(step, emulation)(w, x)
            return out, tally.psum("data")

        out, tally = jax.jit(shard(counted, out_specs=whole))(W, x)
    assert_equal(out, jax.grad(dense)(W, x))
    assert shape_counts(tally.backward) == closed_form(*[count(Gemm(2, 6, 7), ARRAY, dx=False)] * 4)
    assert shape_counts(tally.forward) == forwards(*[Gemm(2, 6, 7)] * 4)


def test_gradient_of_an_emulated_shard_map() -> None:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    specs = (PartitionSpec(), PartitionSpec("data"))
    x = jnp.asarray(sparse_integers(0, 8, 6))
    loss = jax.shard_map(lambda w, x: lax.psum(dense(w, x), "data"), mesh=mesh, in_specs=specs, out_specs=specs[0])
    run = emulated(loss, EMULATION)
    out, tap = jax.jit(jax.grad(lambda w, tap: run.tapped(tap, w, x)[0], (0, 1)))(W, new_tap())
    assert_equal(out, jax.grad(dense)(W, x))
    assert shape_counts(read_tap(tap).backward) == closed_form(*[count(Gemm(2, 6, 7), ARRAY, dx=False)] * 4)


@at_each_fidelity
def test_a_functions_own_derivative_is_run_inside_and_outside(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)

    @jax.custom_vjp
    def doubled(w: Array, x: Array) -> Array:
        return x @ w

    doubled.defvjp(lambda w, x: (x @ w, (w, x)), lambda saved, dy: (2 * saved[1].T @ dy, 2 * dy @ saved[0].T))

    @jax.custom_jvp
    def tripled(w: Array, x: Array) -> Array:
        return x @ w

    @tripled.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (w, x), (dw, dx) = primals, tangents
        return x @ w, 3 * (x @ dw + dx @ w)

    for own in (doubled, tripled):

        def loss(w: Array, own: Callable[..., Array] = own) -> Array:
            return jax.nn.relu(own(w, X)).sum()

        out, tally = emulated(jax.value_and_grad(loss), emulation)(W)
        assert_equal(out, jax.value_and_grad(loss)(W))
        # X has no gradient that anyone wants, though the rule has one for it.
        assert shape_counts(tally.forward) == forwards(XW)
        assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))
        run = emulated(loss, emulation)
        assert_equal(run(W)[0], loss(W))
        outside = jax.value_and_grad(lambda w, tap, run=run: run.tapped(tap, w), (0, 1), has_aux=True)
        (value, aside), (gradient, tap) = jax.jit(outside)(W, new_tap())
        assert_equal((value, gradient), out)
        assert aside.total.as_dict() == read_tap(tap).forward.as_dict() == tally.forward.as_dict()
        assert read_tap(tap).backward.as_dict() == tally.backward.as_dict()


class Net(nnx.Module):
    """A strided convolution, a batch norm, a grouped convolution and two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.grouped = nnx.Conv(4, 6, (3, 3), feature_group_count=2, rngs=rngs)
        self.hidden = nnx.Linear(6, 5, rngs=rngs)
        self.head = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = nnx.relu(self.grouped(nnx.relu(self.norm(self.conv(x)))))
        return self.head(nnx.relu(self.hidden(x.mean((1, 2)))))


@pytest.mark.parametrize("fidelity", ["native", "tile"])
def test_a_training_step_counts_what_the_layers_taps_count(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    x, labels = jax.random.normal(jax.random.key(0), (4, 7, 7, 3)), jnp.arange(4) % 3
    graph, params, rest = nnx.split(Net(nnx.Rngs(0)), nnx.Param, ...)
    optimizer = optax.adam(0.1)

    def loss_of(model: Net) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), labels).mean()

    def step(params: Any, state: Any) -> Any:
        loss, grads = jax.value_and_grad(lambda params: loss_of(nnx.merge(graph, params, rest, copy=True)))(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss, grads

    out, tally = jax.jit(emulated(step, emulation))(params, optimizer.init(params))
    expected = jax.jit(step)(params, optimizer.init(params))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), out[2:], expected[2:])
    model = Net(nnx.Rngs(0))
    put_on_array(model, emulation)
    _, _, layers = nnx.jit(value_and_grad(loss_of))(model)
    for phase in ("forward", "backward"):
        taps = sum((getattr(own, phase) for own in layers.values()), start=Counters.zero())
        assert getattr(tally, phase).as_dict() == taps.as_dict()
    assert tally.notes == ()


def test_what_the_array_has_no_multiplier_for_is_left_and_listed() -> None:
    def function(x: Array) -> Array:
        whole = x.astype(jnp.int32)
        return (x @ x.T).sum() + (whole @ whole.T).sum()

    out, tally = emulated(function, EMULATION)(X)
    assert_equal(out, function(X))
    (note,) = tally.notes
    assert "dot_general left to XLA, of int32" in note
    transposed = functools.partial(lax.conv_transpose, strides=(2, 2), padding="SAME")
    image, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2))
    out, tally = emulated(transposed, EMULATION)(image, kernel)
    assert_equal(out, transposed(image, kernel))
    assert "lhs_dilation" in tally.notes[0]


def test_what_a_derivative_outside_leaves_to_xla_is_said() -> None:
    @jax.custom_vjp
    def whole(x: Array) -> Array:
        return (x @ W).sum()

    def rule(x: Array, dy: Array) -> tuple[Array]:
        return (dy * (jnp.ones((5, 7), jnp.int32) @ W.T.astype(jnp.int32)).astype(jnp.float32),)

    whole.defvjp(lambda x: (whole(x), x), rule)
    with pytest.warns(UserWarning, match=r"emulated: test_api\.py:\d+: dot_general left to XLA, of int32"):
        gradient = jax.grad(lambda x: emulated(lambda x: whole(x) * 1, EMULATION)(x)[0])(X)
    assert_equal(gradient, jax.grad(whole)(X))


def test_arguments_and_results_that_are_no_arrays() -> None:
    def function(x: Array, name: str, *, rows: int, rest: Any) -> dict[str, Any]:
        return {name: (x @ rest["w"]).reshape(rows, -1), "none": None, "text": name, "number": rows}

    out, tally = emulated(function, EMULATION)(X, "y", rows=7, rest={"w": W})
    assert_equal(out.pop("y"), (X @ W).reshape(7, -1))
    assert out == {"none": None, "text": "y", "number": 7}
    assert shape_counts(tally.total) == forwards(XW)


def test_what_no_result_needs_costs_nothing() -> None:
    def function(w: Array, x: Array) -> Array:
        y = x @ w
        _ = jnp.tanh(y.T @ y) @ y.T
        return y.sum()

    out, tally = jax.jit(emulated(function, EMULATION))(W, X)
    assert_equal(out, function(W, X))
    assert tally.notes == ()
    assert shape_counts(tally.total) == forwards(XW)
    assert [record.gemm for record in profile(function, W, X).gemms] == [XW]
    # Training does: y itself is nothing to the gradient of its sum.
    out, tally = jax.jit(emulated(jax.grad(function), EMULATION))(W, X)
    assert_equal(out, jax.grad(function)(W, X))
    assert shape_counts(tally.forward) == forwards(XW)
    assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))


def test_what_a_loop_begins_with_is_needed() -> None:
    def function(w: Array, v: Array, x: Array) -> Array:
        start = jax.nn.relu(x @ v)
        last = lax.scan(lambda x, _: (jax.nn.relu(x @ w), None), start, None, length=3)[0]
        return lax.while_loop(lambda x: x.sum() > 9, lambda x: x - jnp.abs(x), last @ v).sum() + last.sum()

    square, gemm = weights(6, 6), Gemm(5, 6, 6)
    args = square, square.T, X
    out, tally = emulated(function, EMULATION)(*args)
    assert_equal(out, function(*args))
    assert shape_counts(tally.forward) == forwards(*[gemm] * 5)

    def loss(w: Array, v: Array) -> Array:
        return (lax.scan(lambda x, _: (jax.nn.relu(x @ w), None), X, None, length=3)[0] @ v).sum()

    gradient = jax.grad(loss, (0, 1))
    out, tally = jax.jit(emulated(gradient, EMULATION))(*args[:2])
    assert_equal(out, gradient(*args[:2]))
    assert shape_counts(tally.backward) == closed_form(*[count(gemm, ARRAY)] * 4)


@at_each_fidelity
def test_number_formats_are_those_of_the_rule(fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity, precision=Precision.of("bf16"))
    keys = jax.random.split(jax.random.key(0))
    w, x = jax.random.normal(keys[0], (6, 7)), jax.random.normal(keys[1], (5, 6))

    def loss(w: Array, x: Array, product: Callable[[Array, Array], Array] = jnp.matmul) -> Array:
        return (product(x, w) ** 2).sum()

    def by_rule(x: Array, w: Array) -> Array:
        return dot_general(x, w, (((1,), (0,)), ((), ())), new_tap(), emulation=emulation)

    expected = jax.grad(loss, (0, 1))(w, x, by_rule)
    assert not np.array_equal(expected[0], jax.grad(loss)(w, x))
    assert_equal(emulated(jax.grad(loss, (0, 1)), emulation)(w, x)[0], expected)
    assert_equal(jax.grad(lambda w, x: emulated(loss, emulation)(w, x)[0], (0, 1))(w, x), expected)


@at_each_fidelity
def test_mixed_types_and_empty_arrays(fidelity: str) -> None:
    def loss(w: Array, x: Array, index: Array, empty: Array) -> Array:
        wide = lax.dot_general(x, w.astype(x.dtype), (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32)
        return (jax.nn.relu(wide) ** 2).sum() + w[index].sum() + (empty @ w).sum()

    args = W, X.astype(jnp.bfloat16), jnp.array([0, 2]), jnp.zeros((0, 6))
    gradient = jax.value_and_grad(loss)
    out, tally = jax.jit(emulated(gradient, Emulation(ARRAY, fidelity=fidelity)))(*args)
    assert_equal(out, gradient(*args))
    assert shape_counts(tally.forward) == forwards(XW)
    assert shape_counts(tally.backward) == closed_form(count(XW, ARRAY, dx=False))


def test_derivatives_outside_through_other_transformations() -> None:
    xs = jnp.stack([X, X - 1, 2 * X])

    def loss(w: Array, x: Array) -> Array:
        return jax.nn.relu(x @ w).sum()

    run = emulated(loss, EMULATION)
    one = jax.vmap(jax.grad(loss), (None, 0))(W, xs)
    forms: dict[str, Callable[[Array, Array], Any]] = {
        "vmap": lambda w, tap: jax.vmap(lambda x: run.tapped(tap, w, x)[0])(xs).sum(),
        "scan": lambda w, tap: lax.scan(lambda sum, x: (sum + run.tapped(tap, w, x)[0], None), 0.0, xs)[0],
        "remat": lambda w, tap: sum(jax.checkpoint(lambda w, x: run.tapped(tap, w, x)[0])(w, x) for x in xs),
        "closure": lambda w, tap: sum(emulated(lambda x: loss(w, x), EMULATION).tapped(tap, x)[0] for x in xs),
    }
    for form in forms.values():
        out, tap = jax.jit(jax.grad(form, (0, 1)))(W, new_tap())
        assert_equal(out, one.sum(0))
        assert shape_counts(read_tap(tap).forward) == forwards(*[XW] * 3)
        assert shape_counts(read_tap(tap).backward) == closed_form(*[count(XW, ARRAY, dx=False)] * 3)
    assert_equal(jax.vmap(jax.grad(lambda w, x: run(w, x)[0]), (None, 0))(W, xs), one)


def test_results_without_gradients_stand_beside_those_with() -> None:
    def function(w: Array) -> tuple[Array, Array, Array]:
        return jnp.argmax(w), X @ w, W @ w.T

    _, pullback = jax.vjp(lambda w: emulated(function, EMULATION)(w)[0], W)
    _, plain = jax.vjp(function, W)
    cotangents = np.zeros((), jax.dtypes.float0), jnp.ones((5, 7)), jnp.ones((6, 6))
    assert_equal(pullback(cotangents), plain(cotangents))
    only_one = jax.grad(lambda w: emulated(function, EMULATION)(w)[0][1].sum())(W)
    assert_equal(only_one, jax.grad(lambda w: function(w)[1].sum())(W))


def block(params: dict[str, Array], x: Array) -> Array:
    """Attention of two heads of 4 and a hidden layer of 16, on a width of 8."""
    q, k, v = (jnp.einsum("btd,dhe->bthe", x, params[name]) for name in "qkv")
    weight = jax.nn.softmax(jnp.einsum("bqhe,bkhe->bhqk", q, k / 2))
    x = x + jnp.einsum("bqhe,hed->bqd", jnp.einsum("bhqk,bkhe->bqhe", weight, v), params["o"])
    return (x + jax.nn.gelu(x @ params["up"]) @ params["down"]).sum()


def test_a_transformer_block_by_hand() -> None:
    shapes = {**dict.fromkeys("qkv", (8, 2, 4)), "o": (2, 4, 8), "up": (8, 16), "down": (16, 8)}
    keys = jax.random.split(jax.random.key(0), len(shapes) + 1)
    params = {name: jax.random.normal(key, shape) / 3 for key, (name, shape) in zip(keys, shapes.items(), strict=False)}
    x = jax.random.normal(keys[-1], (3, 5, 8))
    square, heads = Gemm(15, 8, 8), 3 * 2
    inside = [Gemm(5, 4, 5), Gemm(4, 5, 5)] * heads  # q k^T; and v, which einsum lays left, times its softmax
    rest = [square, Gemm(15, 8, 16), Gemm(15, 16, 8)]  # o, up, down
    gradient = jax.grad(block)
    out, tally = jax.jit(emulated(gradient, EMULATION))(params, x)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4), out, gradient(params, x))
    assert tally.notes == ()
    assert shape_counts(tally.forward) == forwards(*[square] * 3, *inside, *rest)
    first = [count(square, ARRAY, dx=False)] * 3  # q, k and v are of the input
    assert shape_counts(tally.backward) == closed_form(*first, *(count(gemm, ARRAY) for gemm in [*inside, *rest]))


def test_half_precision_keeps_its_types() -> None:
    function, args = BOTH
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), args)
    for fidelity in FIDELITIES:
        out, tally = jax.jit(emulated(function, Emulation(ARRAY, fidelity=fidelity)))(*half)
        expected = function(*half)
        jax.tree.map(lambda one, other: np.testing.assert_equal(one.dtype, other.dtype), out, expected)
        assert shape_counts(tally.backward) == backwards(XW, XWV)


@pytest.mark.parametrize("own", [True, False])
def test_products_that_only_a_derivative_rule_has(own: bool) -> None:
    @jax.custom_vjp
    def rows(w: Array, x: Array) -> Array:
        return x @ w if own else x * w.sum()

    rows.defvjp(lambda w, x: (rows(w, x) + (x @ w).sum(), (w, x)), lambda saved, dy: (saved[1].T @ dy, dy @ saved[0].T))
    square = weights(6, 6)

    def loss(w: Array, x: Array) -> Array:
        return jax.nn.relu(rows(w, x)).sum()

    inside, tally = jax.jit(emulated(jax.grad(loss, (0, 1)), EMULATION))(square, X)
    assert_equal(inside, jax.grad(loss, (0, 1))(square, X))
    run = emulated(loss, EMULATION)
    *outside, tap = jax.grad(lambda w, x, tap: run.tapped(tap, w, x)[0], (0, 1, 2))(square, X, new_tap())
    assert_equal(tuple(outside), inside)
    assert read_tap(tap).forward.as_dict() == tally.forward.as_dict()
    assert read_tap(tap).backward.as_dict() == tally.backward.as_dict()
    assert shape_counts(tally.backward) == backwards(Gemm(5, 6, 6))


def test_a_second_derivative_is_counted_with_one_outside_and_refused_with_both() -> None:
    def loss(w: Array) -> Array:
        return (jnp.tanh(X @ w) ** 2).sum()

    def twice(w: Array) -> Array:
        return jax.grad(lambda w: (jax.grad(loss)(w) ** 2).sum())(w)

    out, tally = jax.jit(emulated(twice, EMULATION))(W / 10)
    np.testing.assert_allclose(out, twice(W / 10), rtol=1e-3, atol=1e-3)
    assert tally.total.as_dict()["macs"] > 3 * XW.macs

    def once_outside(w: Array, tap: Array) -> Array:
        return (emulated(jax.grad(loss), EMULATION).tapped(tap, w)[0] ** 2).sum()

    outside, tap = jax.jit(jax.grad(once_outside, (0, 1)))(W / 10, new_tap())
    np.testing.assert_allclose(outside, out, rtol=1e-3, atol=1e-3)
    assert read_tap(tap).total.as_dict()["macs"] == tally.total.as_dict()["macs"]
    with pytest.raises(ValueError, match="put the first one inside"):
        jax.grad(lambda w: jax.grad(lambda w: emulated(loss, EMULATION)(w)[0])(w).sum())(W)


LINES = ("dense", "relu", "square", "scan", "conv")


@pytest.mark.slow
@settings(max_examples=8)
@given(
    layers=st.lists(st.sampled_from(LINES), min_size=1, max_size=4),
    width=st.integers(1, 6),
    batch=st.integers(1, 5),
    fidelity=st.sampled_from(FIDELITIES),
    seed=st.integers(0, 100),
)
def test_any_composition(layers: list[str], width: int, batch: int, fidelity: str, seed: int) -> None:
    def function(params: list[Array], x: Array) -> Array:
        for layer, w in zip(layers, params, strict=True):
            if layer == "dense":
                x = jnp.clip(x @ w, -3, 3)
            elif layer == "relu":
                x = jax.nn.relu(x)
            elif layer == "square":
                x = jnp.clip(x * x, -3, 3)
            elif layer == "scan":
                x = lax.scan(lambda x, _, w=w: (jnp.clip(x @ w, -2, 2), None), x, length=3)[0]
            else:
                kernel = jnp.stack([w, w + 1, w - 1])
                y = lax.conv_general_dilated(x[None], kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
                x = jnp.clip(y[0], -3, 3)
        return x.sum()

    params = [weights(width, width, seed=seed + index) for index in range(len(layers))]
    x = jnp.asarray(sparse_integers(seed, batch, width))
    gradient = jax.value_and_grad(function, (0, 1))
    out, tally = jax.jit(emulated(gradient, Emulation(ARRAY, fidelity=fidelity)))(params, x)
    assert_equal(out, gradient(params, x))
    expected_forward: list[Counters] = []
    expected_backward: list[Counters] = []
    for layer in layers:
        gemms = {
            "dense": [Gemm(batch, width, width)],
            "scan": [Gemm(batch, width, width)] * 3,
            "conv": [Gemm(batch, 3 * width, width)],
        }.get(layer, [])
        expected_forward += [count_forward(gemm, ARRAY) for gemm in gemms]
        expected_backward += [count(gemm, ARRAY) for gemm in gemms]
    assert shape_counts(tally.forward) == closed_form(*expected_forward)
    assert shape_counts(tally.backward) == closed_form(*expected_backward)


def untraceable(x: Array) -> Array:
    return x if x.sum() > 0 else -x


def unknown(x: Array) -> Array:
    return lax.custom_linear_solve(lambda y: X @ (X.T @ y), x, lambda _, b: b, symmetric=True)


def solved(x: Array) -> Array:
    return jnp.linalg.solve(x @ x.T, x)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: emulated(3, EMULATION), "function", "3", "something to call"),  # pyright: ignore[reportArgumentType]
        Refusal(lambda: emulated(dense, ARRAY), "emulation", "Accelerator", "Emulation"),  # pyright: ignore[reportArgumentType]
        Refusal(lambda: emulated(untraceable, EMULATION)(X), "function", "untraceable", "jax.jit"),
        Refusal(lambda: emulated(unknown, EMULATION)(X[:, 0]), "function", "custom_linear_solve", "keep them out"),
        Refusal(lambda: emulated(solved, EMULATION)(X), "function", "custom_linear_solve at test_api.py:", "around it"),
        Refusal(lambda: emulated(BOTH[0], Emulation(ARRAY, "ws"))(*BOTH[1]), "schedule", "'ws'", "interleaved"),
    ],
    ids=["function", "emulation", "untraceable", "unknown primitive", "in JAX", "schedule"],
)
def test_bad_input_is_refused(refusal: Refusal) -> None:
    assert_refused(refusal)
