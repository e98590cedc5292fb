"""Which products of a trace are the gradients of which, through every transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm, emulate_function
from jaxgrad.costs.profiling import profile
from tests.layers import NHWC
from tests.programs.records import TRAINED, WHOLE, W, X, shapes, two_layers


def stacked(w: Array, x: Array) -> Array:
    return lax.scan(lambda h, _: (jnp.tanh(h @ w), None), jnp.tanh(x @ w), None, length=3)[0].sum()


def again(w: Array, x: Array) -> Array:
    return lax.scan(jax.checkpoint(lambda h, _: (jnp.tanh(jnp.tanh(h @ w) @ w), None)), x, None, 3)[0].sum()


def accumulated(w: Array, x: Array) -> Array:
    def step(sum_: Array, part: Array) -> tuple[Array, None]:
        return sum_ + jax.grad(two_layers)(w, part), None

    return lax.scan(step, jnp.zeros_like(w), x.reshape(3, 2, 8))[0]


def trained(w: Array, x: Array) -> Array:
    return lax.scan(lambda w, part: (w - jax.grad(two_layers)(w, part), None), w, x.reshape(3, 2, 8))[0]


@jax.custom_vjp
def own_rule(x: Array, w: Array) -> Array:
    return x @ w


own_rule.defvjp(lambda x, w: (x @ w, (x, w)), lambda kept, dy: (dy @ kept[1].T, kept[0].T @ dy))


@jax.custom_jvp
def bent(x: Array) -> Array:
    return jnp.sin(x)


bent.defjvp(lambda primals, tangents: (bent(*primals), 2 * tangents[0]))


CASES: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "forward": (two_layers, [(WHOLE, 1, False, False, 0)] * 2),
    "gradient": (jax.grad(two_layers), TRAINED),
    "jit": (jax.jit(jax.value_and_grad(jax.jit(two_layers))), TRAINED),
    # The last cosine needs the last product anew.
    "remat": (jax.grad(jax.checkpoint(two_layers)), [(*own[:4], 1) for own in TRAINED]),
    "vmap inside": (jax.grad(lambda w, x: jax.vmap(lambda row: two_layers(w, row))(x).sum()), TRAINED),
    "gradient an example": (
        jax.vmap(jax.grad(lambda w, row: two_layers(w, row[None])), (None, 0)),
        [((1, 8, 8), 6, False, True, 0), ((1, 8, 8), 6, True, True, 0)],
    ),
    "scan": (jax.grad(stacked), [(WHOLE, 1, False, True, 0), (WHOLE, 3, True, True, 0)]),
    "scan of remat": (jax.grad(again), [(WHOLE, 3, True, True, 3), (WHOLE, 3, True, True, 3)]),
    "accumulation": (accumulated, [((2, 8, 8), 3, False, True, 0), ((2, 8, 8), 3, True, True, 0)]),
    "a loop of steps": (trained, [((2, 8, 8), 3, False, True, 0), ((2, 8, 8), 3, True, True, 0)]),
    "custom_vjp": (jax.grad(lambda w, x: jnp.tanh(own_rule(jnp.tanh(x * w[0]), w)).sum()), [(WHOLE, 1, True, True, 0)]),
    "custom_jvp": (jax.grad(lambda w, x: bent(bent(x @ w) @ w).sum()), TRAINED),
    "weights on the left": (jax.grad(lambda w, x: jnp.tanh(w @ jnp.tanh(w @ x.T)).sum()), TRAINED),
    "weights on the left, under vmap": (
        jax.grad(lambda w, x: jax.vmap(lambda row: jnp.tanh(w @ jnp.tanh(w @ row)).sum())(x).sum()),
        TRAINED,
    ),
    "weights on the left, a gradient an example": (
        jax.vmap(jax.grad(lambda w, row: jnp.tanh(w @ jnp.tanh(w @ row)).sum()), (None, 0)),
        [((1, 8, 8), 6, False, True, 0), ((1, 8, 8), 6, True, True, 0)],
    ),
    "masked weights": (jax.grad(lambda w, x: jnp.tanh(jnp.tanh(x @ (w * X[:1])) @ (w * X[:1])).sum()), TRAINED),
    "tied weights": (jax.grad(lambda w, x: (jnp.tanh(x @ w) @ w.T).sum()), TRAINED),
    "tied weights, forward": (lambda w, x: jnp.tanh(x @ w) @ w.T, [(WHOLE, 1, False, False, 0)] * 2),
    "frozen weights": (
        jax.grad(lambda w, x: jnp.tanh(jnp.tanh(jnp.tanh(x @ X.T @ X) @ w) @ (2 * X.T @ X)).sum()),
        [
            ((6, 8, 6), 1, False, False, 0),
            ((6, 6, 8), 1, False, False, 0),
            (WHOLE, 1, False, True, 0),
            ((8, 6, 8), 1, False, False, 0),
            (WHOLE, 1, True, False, 0),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_transformations(name: str) -> None:
    function, wanted = CASES[name]
    own = profile(function, W, X)
    assert shapes(own) == wanted
    assert own.notes == []


def test_gradients_by_hand_are_told_by_their_operands() -> None:
    def step(w: Array, x: Array) -> Array:
        h = jnp.tanh(x @ w)
        dz = 2 * (h @ w)
        dy = (dz @ w.T) * (1 - h**2)
        return h.T @ dz + x.T @ dy

    own = profile(step, W, X)
    assert shapes(own) == TRAINED
    assert [note.partition(":")[0] for note in own.notes] == ["guessed"]


def equilibrium(rounds: int) -> Callable[[Array, Array], Array]:
    """Three rounds to a fixed point, and a rule of its own that sums ``rounds`` terms of the Neumann series."""

    @jax.custom_vjp
    def settled(w: Array, x: Array) -> Array:
        return lax.scan(lambda h, _: (jnp.tanh(h @ w), None), x, None, 3)[0]

    def forward(w: Array, x: Array) -> tuple[Array, Array]:
        return settled(w, x), w

    def backward(w: Array, dy: Array) -> tuple[None, Array]:
        return None, lax.scan(lambda v, _: (dy + v @ w.T, None), dy, None, rounds)[0]

    settled.defvjp(forward, backward)
    return lambda w, x: settled(w, x).sum()


@pytest.mark.parametrize(
    ("rounds", "wanted"),
    [
        (2, [(WHOLE, 2, True, False, 1)]),
        (3, [(WHOLE, 3, True, False, 0)]),
        (5, [(WHOLE, 3, False, False, 0), (WHOLE, 5, False, False, 0)]),  # no dX of three products runs five times
    ],
)
def test_a_gradient_runs_no_more_often_than_its_forward_product(rounds: int, wanted: list[Any]) -> None:
    assert shapes(profile(jax.grad(equilibrium(rounds), 1), W, X)) == wanted


SQUARE, TALL = jnp.ones((8, 8)), jnp.ones((5, 8))


def unrelated(a: Array, b: Array, c: Array) -> tuple[Array, ...]:
    """Cyclic products of stacks, whose axes can't be followed; c has nothing to do with the first."""

    def stacks(a: Array) -> Array:
        return a.reshape(4, 4, 4).transpose(1, 0, 2).reshape(8, 8)

    return stacks(a) @ stacks(b), stacks(b) @ stacks(c), stacks(c) @ stacks(a)


def nested(a: Array, b: Array) -> tuple[Array, ...]:
    c = a @ b - b @ a
    return a @ c - c @ a, b @ c - c @ b


def orthogonalised(x: Array, y: Array) -> Array:
    """Newton-Schulz: what is multiplied with x comes from x x^T, as a gradient's cotangent would."""
    for _ in range(2):
        gram = x @ x.T
        x = 2 * x - (gram + gram @ gram) @ x
    return x + y


UNDIFFERENTIATED: dict[str, tuple[Callable[..., Any], tuple[Array, ...], int]] = {
    "powers and commutators": (lambda a, b: (a @ a, a @ b - b @ a), (SQUARE, 2 * SQUARE), 3),
    "gram matrices": (lambda x, y: (x @ x.T, x @ y.T, y @ x.T, y @ y.T), (SQUARE, 2 * SQUARE), 4),
    "gram matrices, tall": (lambda x, y: (x @ x.T, x @ y.T, y @ x.T, y @ y.T), (TALL, 2 * TALL), 4),
    "nested commutators": (nested, (SQUARE, 2 * SQUARE), 6),
    "square and cubes": (lambda a: (lambda b: (b @ a, a @ b))(a @ a), (SQUARE,), 3),
    "Newton-Schulz": (orthogonalised, (SQUARE, SQUARE), 6),
    "taken apart": (unrelated, (SQUARE, SQUARE, SQUARE), 3),
    "products of a stack": (lambda a, b: jax.vmap(lambda a, b: (a @ a, a @ b - b @ a))(a, b), (SQUARE[None],) * 2, 3),
}


@pytest.mark.parametrize("name", UNDIFFERENTIATED)
def test_forward_products_that_share_operands_are_no_gradients(name: str) -> None:
    function, arguments, products = UNDIFFERENTIATED[name]
    own = profile(function, *arguments)
    assert [(gemm.times, gemm.needs_dx, gemm.needs_dw) for gemm in own.gemms] == [(1, False, False)] * products
    assert own.notes == []


def test_a_matrix_exponential_has_no_gradients() -> None:
    own = profile(jax.scipy.linalg.expm, SQUARE)
    assert len(own.gemms) == 10
    assert not any(gemm.needs_dx or gemm.needs_dw for gemm in own.gemms)
    assert not any(note.startswith("guessed") for note in own.notes)


def test_their_gradients_are_told_apart() -> None:
    def loss(a: Array, b: Array) -> Array:
        return jnp.sin(a @ a + a @ b - b @ a).sum()

    own = profile(jax.grad(loss, (0, 1)), SQUARE, 2 * SQUARE)
    assert shapes(own) == [((8, 8, 8), 1, True, True, 0)] * 3
    assert own.notes == []


def test_an_optimizer_s_own_products_are_no_gradients() -> None:
    own = profile(lambda w, x: w - orthogonalised(jax.grad(two_layers)(w, x), w), W, X)
    assert shapes(own)[:2] == TRAINED
    assert shapes(own)[2:] == [((8, 8, 8), 1, False, False, 0)] * 6
    assert own.notes == []


def test_gradients_of_what_is_given_are_told_by_how_they_contract() -> None:
    def step(w: Array, x: Array, dy: Array) -> tuple[Array, ...]:
        return jnp.tanh(x @ w), dy @ w.T, x.reshape(6, 8).T @ dy

    own = profile(step, W, X.reshape(3, 2, 8), 2 * X)
    assert shapes(own) == [(WHOLE, 1, True, True, 0)]
    assert [note.partition(" products")[0] for note in own.notes] == ["guessed: 2"]


def test_one_product_has_not_the_gradients_of_several() -> None:
    """A Jacobian, a cotangent at a time: its products run more often than the one that they differentiate."""

    def jacobian(w: Array, x: Array) -> tuple[Array, Array]:
        y, pull = jax.vjp(lambda w: x @ w, w)
        return y, lax.map(lambda cotangent: pull(cotangent)[0], jnp.ones((4, *y.shape)))

    assert shapes(profile(jacobian, W, X)) == [(WHOLE, 1, False, False, 0), ((8, 6, 8), 4, False, False, 0)]


def test_a_rule_by_hebb_looks_like_gradients_and_is_said_to_be_guessed() -> None:
    def step(w: Array, x: Array) -> tuple[Array, Array]:
        y = x @ w
        return y @ w.T, x.T @ y

    own = profile(step, W, X)
    assert shapes(own) == [(WHOLE, 1, True, True, 0)]
    assert [note.partition(" products")[0] for note in own.notes] == ["guessed: 2"]
    _, tally = emulate_function(step, Emulation(Accelerator(3, 4)))(W, X)
    assert ["JAX did not transpose it" in note for note in tally.notes] == [True]  # one a line


def test_products_that_are_no_layer_s_gradient_are_named() -> None:
    def step(w: Array, x: Array) -> Array:
        return jax.grad(lambda w: jax.vjp(lambda w: jnp.sin(x @ w) @ w, w)[1](X)[0].sum())(w)

    own = profile(step, W, X)
    assert all(note.startswith("other") for note in own.notes)
    assert len(own.gemms) >= 3


def test_a_strided_convolution_s_dx_is_its_forward_gemm() -> None:
    def loss(w: Array, x: Array) -> Array:
        x = jnp.sin(x * w[0, 0, 0, 0])
        return jnp.sin(lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)).sum()

    (gemm,) = profile(jax.grad(loss), jnp.ones((3, 3, 2, 5)), jnp.ones((2, 7, 8, 2))).gemms
    assert gemm.gemm == Gemm(2 * 4 * 4, 18, 5)
    assert (gemm.times, gemm.needs_dx, gemm.needs_dw, gemm.x_words) == (1, True, True, 2 * 7 * 8 * 2)


def test_a_transposed_convolution_meets_each_pixel_once() -> None:
    def run(w: Array, x: Array) -> Array:
        return lax.conv_transpose(x, w, (2, 2), "SAME")

    (gemm,) = profile(run, jnp.ones((3, 3, 2, 5)), jnp.ones((2, 4, 4, 2))).gemms
    assert gemm.gemm == Gemm(2 * 4 * 4, 2, 9 * 5)


NET_ARGS = tuple(jax.ShapeDtypeStruct(sizes, jnp.float32) for sizes in ((8, 5), (5, 3), (4, 8)))


def net(w1: Any, w2: Any, x: Any) -> Any:
    return (jnp.tanh(x @ w1) @ w2).sum()


def forward_mode(w1: Any, w2: Any, x: Any) -> Any:
    return jax.jvp(lambda a, b: net(a, b, x), (w1, w2), (w1, w2))


def forward_mode_inside(w1: Any, w2: Any, x: Any) -> Any:
    return jax.jvp(lambda a: jax.jit(net)(a, w2, x), (w1,), (w1,))


def linearized(w1: Any, w2: Any, x: Any) -> Any:
    value, derivative = jax.linearize(lambda a: net(a, w2, x), w1)
    return value, derivative(w1)


@pytest.mark.parametrize(
    ("function", "tangents"),
    [(net, 0), (jax.grad(net), 0), (forward_mode, 3), (forward_mode_inside, 2), (linearized, 2)],
)
def test_derivatives_in_forward_mode_count_as_forward_gemms_and_are_told(function: Any, tangents: int) -> None:
    own = profile(function, *NET_ARGS)
    assert sum(gemm.times for gemm in own.gemms) == 2 + tangents
    told = [note for note in own.notes if note.startswith("jvp: ")]
    assert [note.partition(" products")[0] for note in told] == [f"jvp: {tangents}"] * (tangents > 0)
    assert all("counts as a forward GEMM" in note for note in told)


def test_a_product_of_integers_is_no_gradient() -> None:
    @jax.custom_vjp
    def whole(x: Array) -> Array:
        return (x @ W).sum()

    def rule(x: Array, dy: Array) -> tuple[Array]:
        # Of the sizes of dX = dY W^T, and of W.
        return (dy * (jnp.ones((len(x), W.shape[1]), jnp.int32) @ W.T.astype(jnp.int32)).astype(jnp.float32),)

    whole.defvjp(lambda x: (whole(x), x), rule)
    gemms = profile(jax.grad(whole), X).gemms
    assert not any(gemm.needs_dx or gemm.needs_dw for gemm in gemms)
