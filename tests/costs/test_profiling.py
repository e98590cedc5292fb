"""What a profile is told, what it takes, and what it says that it cannot know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax
from jax.extend.core import Primitive
from jax.sharding import AxisType, PartitionSpec

from jaxgrad import Accelerator, Emulation
from jaxgrad.costs.profiling import profile
from tests.programs.records import TRAINED, WHOLE, W, X, shapes, two_layers
from tests.refusals import Refusal, assert_refused


def sharded(w: Array, x: Array) -> Array:
    mesh = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,))
    whole, rows = PartitionSpec(), PartitionSpec("i")

    def part(w: Array, x: Array) -> Array:
        return lax.psum(two_layers(w, x), "i")

    return jax.shard_map(part, mesh=mesh, in_specs=(whole, rows), out_specs=whole)(w, x)


def branched(w: Array, x: Array) -> Array:
    return lax.cond(x[0, 0] > 0, lambda h: jnp.tanh(h @ w), lambda h: h, jnp.tanh(x @ w)).sum()


def test_what_counts_but_cannot_be_known_is_said() -> None:
    own = profile(jax.grad(branched), W, X)
    assert shapes(own) == TRAINED
    assert [note.partition(":")[0] for note in own.notes] == ["cond"]
    own = profile(jax.grad(sharded), W, X)
    assert shapes(own) == [((3, 8, 8), 2, *flags) for _, _, *flags in TRAINED]
    assert [note.partition(":")[0] for note in own.notes] == ["shard_map"]


def loop(w: Array, x: Array) -> Array:
    return lax.while_loop(lambda x: x.sum() < 0, lambda x: jnp.tanh(x @ w), x)


def test_masks_of_relus_are_among_what_a_step_stores() -> None:
    w, x = jnp.ones((5, 7)), jnp.ones((3, 5))
    found = profile(jax.grad(lambda w, x: jax.nn.relu(x @ w).sum()), w, x)
    stored = found.cost(Emulation(Accelerator(2, 2)), ["os"]).stored
    assert (sum(stored.layers.values()), dict(stored.masks)) == (3 * 5, {"model": 1})


def test_trips_of_a_while_loop() -> None:
    own = profile(loop, W, X)
    (note,) = own.notes
    name = note.partition(": ")[0]
    assert name.startswith("while@test_profiling.py:")
    assert shapes(own) == [(WHOLE, 1, False, False, 0)]
    assert sum(work.operations for work in own.vector) == 48 + 48 + 1
    for trips in (7, {name: 7}):
        own = profile(loop, W, X, trips=trips)
        assert shapes(own) == [(WHOLE, 7, False, False, 0)]
        assert own.notes == []
        assert sum(work.operations for work in own.vector) == 7 * (48 + 48 + 1)


OPAQUE = Primitive("opaque")  # a call that tells no one how it runs
OPAQUE.def_abstract_eval(lambda *_, jaxprs: jaxprs[0].out_avals[0])


def opaque(w: Array, v: Array) -> Array:
    """A product and a loop in such a call."""
    doubled = jax.make_jaxpr(lambda w, v: lax.while_loop(lambda v: v.sum() < 9, lambda v: 2 * v, w @ v))(w, v)
    return OPAQUE.bind(w, v, jaxprs=(doubled, doubled))


def test_a_call_whose_products_are_hidden_says_so() -> None:
    own = profile(lambda w, x: opaque(w, x @ w[0]), W, jnp.ones((8, 8)))
    assert shapes(own) == [((1, 8, 8), 1, False, False, 0)]
    assert [note.partition(":")[0] for note in own.notes] == ["opaque"]


def test_a_linear_solve_is_what_its_solver_does() -> None:
    def function(w: Array, x: Array) -> Array:
        return lax.custom_linear_solve(lambda v: w @ v, x @ w[0], lambda matvec, b: matvec(matvec(b)))

    own = profile(function, W, jnp.ones((8, 8)))
    assert shapes(own) == [((1, 8, 8), 1, False, False, 0)] * 3
    assert own.notes == []


def test_a_loop_with_a_known_count_needs_no_telling() -> None:
    own = profile(lambda w, x: lax.fori_loop(0, 7, lambda _, x: x @ w, x), W, X)
    assert shapes(own) == [(WHOLE, 7, False, False, 0)]
    assert own.notes == []


def test_arguments_that_are_no_arrays() -> None:
    def function(x: Array, w: Array, *, twice: bool, mode: str) -> Array:
        assert mode == "on"
        return x @ w @ w if twice else x @ w

    assert len(profile(function, X, jax.ShapeDtypeStruct((8, 8), jnp.float32), twice=True, mode="on").gemms) == 2
    assert len(profile(function, X, W, twice=False, mode="on").gemms) == 1


def test_a_layer_that_holds_its_settings() -> None:
    """As Equinox's and Haiku's do: a rate, a switch and a function among the leaves, which a trace must not touch."""

    def function(layer: dict[str, Any], x: Array) -> Array:
        assert type(layer["rate"]) is float
        x = x[:, : layer["size"]] if layer["trains"] is True else x
        return jax.random.bernoulli(jax.random.key(0), layer["rate"]) * layer["activation"](x @ layer["w"])

    layer = {"w": W, "rate": 0.5, "size": 8, "trains": True, "activation": jnp.tanh}
    assert shapes(profile(function, layer, X)) == shapes(profile(lambda w, x: x @ w, W, X))


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: profile(lambda x: x if x.sum() > 0 else -x, X), "function", "<lambda>", "jax.jit"),
        Refusal(lambda: profile(3, X), "function", "int", "to call"),  # pyright: ignore[reportArgumentType]  # as it must not be
        Refusal(lambda: profile(loop, W, X, trips={"while@nowhere:1": 3}), "trips", "nowhere", "while@test_profiling"),
        Refusal(lambda: profile(two_layers, W, X, trips={"a": 3}), "trips", "'a'", "no while loop"),
        Refusal(lambda: profile(loop, W, X, trips=0), "trips", "0", "at least 1"),
    ],
)
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (jnp.linalg.cholesky, "cholesky"),
        (jnp.linalg.qr, "qr"),
        (jnp.linalg.eigh, "eigh"),
        (jnp.linalg.svd, "svd"),
        (jax.scipy.linalg.lu, "lu"),
        (jnp.linalg.eig, "eig"),
        (lambda a: jax.scipy.linalg.solve_triangular(a, a), "triangular_solve"),
        (lambda a: jax.scipy.linalg.cho_solve((a, True), a[0]), "triangular_solve"),
    ],
)
def test_what_lapack_does_is_named_and_not_counted(function: Callable[[Array], Any], name: str) -> None:
    notes = [note.partition(":")[0] for note in profile(function, 2 * jnp.eye(6)).notes]
    assert name in notes


def test_what_lapack_does_takes_no_operations_of_the_vector_unit() -> None:
    found = profile(lambda a: jnp.tanh(jnp.linalg.qr(a)[0]), 2 * jnp.eye(6))
    assert sum(work.operations for work in found.vector) == 36


def test_a_fourier_transform_counts_its_butterflies() -> None:
    (work,) = profile(lambda x: jnp.fft.rfft(x), jnp.ones((3, 8))).vector
    assert work.operations == 3 * 5 * 3  # 5 numbers of each of 3 rows, in log2(8) stages


def test_no_trips_are_asked_for_where_the_body_is_not_counted() -> None:
    found = profile(opaque, 2 * jnp.eye(4), jnp.ones(4))
    assert [note for note in found.notes if "trips" in note] == []
    assert [note.partition(":")[0] for note in found.notes] == ["opaque"]


def test_conjugate_gradients_ask_how_often_they_go_round() -> None:
    def solve(a: Array, b: Array) -> Array:
        return jax.scipy.sparse.linalg.cg(lambda x: a @ x, b)[0]

    args = 2 * jnp.eye(4), jnp.ones(4)
    (note,) = profile(solve, *args).notes
    assert note.startswith("while@")
    once, often = (
        sum(layer.gemm.macs * layer.times for layer in profile(solve, *args, trips=trips).gemms) for trips in (1, 5)
    )
    assert often - once == 4 * (16 + 4 + 4)  # the matrix's product, and two scalar ones
