from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxgrad import Gemm
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.programs import LayerGemm, kinds, step_gemms
from tests.layers import CONVOLUTIONS

SQUARE = jnp.ones((4, 4))
X = jnp.ones((3, 4))


def dense(path: str, x: Array, w: Array) -> Array:
    with kinds.scope(None, path):
        return lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())))


def read(loss: Callable[[Array], Array]) -> list[LayerGemm]:
    return step_gemms(jax.make_jaxpr(jax.value_and_grad(loss))(SQUARE))


def record(
    path: str, rows: int = 3, times: int = 1, *, needs_dx: bool = True, needs_dw: bool = True, recomputed: int = 0
) -> LayerGemm:
    return LayerGemm(path, Gemm(rows, 4, 4), times, needs_dx, needs_dw, recomputed=recomputed)


def test_layers_in_the_order_of_their_calls_and_the_input_layer_without_dx() -> None:
    def loss(w: Array) -> Array:
        return jnp.tanh(dense("b", jnp.tanh(dense("z", X, w)), w)).sum()

    assert read(loss) == [record("z", needs_dx=False), record("b")]


def test_a_layer_called_twice_has_a_record_of_each_kind_of_call() -> None:
    def loss(w: Array) -> Array:
        x = dense("a", X, w)
        for _ in range(3):
            x = dense("a", x, w)
        return dense("a", x[:2], w).sum()

    assert read(loss) == [record("a", needs_dx=False), record("a", times=3), record("a", 2)]


def test_frozen_weights() -> None:
    def loss(w: Array) -> Array:
        return dense("last", dense("trained", dense("first", X, SQUARE), w), SQUARE).sum()

    assert read(loss) == [
        record("first", needs_dx=False, needs_dw=False),
        record("trained", needs_dx=False),
        record("last", needs_dw=False),
    ]


def test_what_no_loss_depends_on_still_runs_forward() -> None:
    def loss(w: Array) -> Array:
        return dense("a", X, w).sum() + lax.stop_gradient(dense("b", 2 * X + 1, w)).sum()

    assert read(loss) == [record("a", needs_dx=False), record("b", needs_dx=False, needs_dw=False)]


def test_a_scan_runs_its_body_as_often_as_it_is_long() -> None:
    def loss(w: Array) -> Array:
        def step(x: Array, _: None) -> tuple[Array, None]:
            inner = lax.scan(lambda x, _: (jnp.tanh(dense("inner", x, w)), None), x, None, length=5)[0]
            return jnp.tanh(dense("outer", inner, w)), None

        return lax.scan(step, X, None, length=2)[0].sum()

    assert read(loss) == [record("inner", times=10), record("outer", times=2)]


def test_vmap_makes_one_gemm_of_its_examples() -> None:
    def loss(w: Array) -> Array:
        return jax.vmap(lambda x: jnp.tanh(dense("a", jnp.tanh(x[None] * w), w)))(X).sum()

    assert read(loss) == [record("a", rows=12)]


def test_jit_and_cond() -> None:
    def loss(w: Array) -> Array:
        def either(w: Array) -> Array:
            return lax.cond(w[0, 0] > 0, lambda: dense("a", X, w).sum(), lambda: w.sum())

        return jax.jit(either)(w)

    assert read(loss) == [record("a", needs_dx=False)]


def test_remat_runs_again_what_the_backward_pass_needs() -> None:
    def block(w: Array, x: Array) -> Array:
        return dense("last", jnp.tanh(dense("middle", jnp.tanh(dense("first", x, w)), w)), w)

    def loss(w: Array) -> Array:
        return jax.checkpoint(block)(w, X * w[0]).sum()

    # Nothing but the next block needs the output of the last.
    assert read(loss) == [record("first", recomputed=1), record("middle", recomputed=1), record("last")]


def test_a_policy_that_saves_runs_nothing_again() -> None:
    def block(w: Array, x: Array) -> Array:
        return jnp.tanh(dense("last", jnp.tanh(dense("first", x, w)), w))

    def loss(w: Array) -> Array:
        saving: Callable[..., Array] = jax.checkpoint(block, policy=jax.checkpoint_policies.everything_saveable)
        return saving(w, X * w[0]).sum()

    assert read(loss) == [record("first"), record("last")]


def test_groups_are_gemms() -> None:
    conv = CONVOLUTIONS["depthwise"]
    contraction = ConvGeneralDilated.of(jnp.ones(conv.lhs), jnp.ones(conv.rhs), *conv.arguments, **conv.options)

    def loss(rhs: Array, lhs: Array) -> Array:
        with kinds.scope(None, "a"):
            return contraction.plain(lhs, rhs).sum()

    (own,) = step_gemms(jax.make_jaxpr(jax.grad(loss))(jnp.ones(conv.rhs), jnp.ones(conv.lhs)))
    assert own == LayerGemm(
        "a", Gemm(2 * 3 * 3, 9, 1), 3, needs_dx=False, kind="conv_general_dilated", x_words=2 * 5 * 5
    )


def layers(x: Array, weights: Array, path: str) -> Array:
    return lax.scan(lambda x, w: (jnp.tanh(dense(path, x, w)), None), x, weights)[0]


def test_a_checkpoint_around_a_scan_runs_it_again() -> None:
    def loss(w: Array) -> Array:
        weights = jnp.stack([w, 2 * w, 3 * w])
        return jnp.sin(jax.checkpoint(lambda x, weights: jnp.sin(layers(x, weights, "a")))(X, weights)).sum()

    assert read(loss) == [record("a", times=3, recomputed=3)]


def test_checkpoints_within_checkpoints() -> None:
    def loss(w: Array) -> Array:
        body = jax.checkpoint(lambda x, scale: (layers(x, scale * jnp.stack([w, w]), "a"), None))
        return jnp.sin(lax.scan(body, X, jnp.arange(3.0))[0]).sum()

    assert read(loss) == [record("a", times=6, recomputed=6)]


def test_scans_that_begin_alike_are_told_apart() -> None:
    def loss(w: Array) -> Array:
        def recurrent(path: str, xs: Array, w: Array) -> Array:
            def cell(h: Array, x: Array) -> tuple[Array, Array]:
                h = jnp.tanh(dense(path, h, w) + x)
                return h, h

            return jnp.sin(lax.scan(cell, jnp.zeros((3, 4)), xs)[1])

        xs = jnp.stack([X, 2 * X])
        first = jax.checkpoint(lambda xs: recurrent("a", xs, w))(xs)
        return jax.checkpoint(lambda xs: recurrent("b", xs, w.T))(first).sum()

    assert read(loss) == [record("a", times=2, recomputed=2), record("b", times=2, recomputed=2)]


def convolved(w: Array, x: Array) -> Array:
    return (lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) ** 2).sum()


KERNEL = jnp.ones((3, 3, 2, 3))
IMAGES = jnp.ones((4, 5, 5, 2))


def test_a_convolution_s_gradient_by_each_example() -> None:
    per_example = jax.vmap(jax.grad(lambda w, x: convolved(w, x[None])), (None, 0))
    gemms = step_gemms(jax.make_jaxpr(per_example)(KERNEL, IMAGES))
    wanted = LayerGemm("model", Gemm(25, 18, 3), 4, False, True, "conv_general_dilated", x_words=50)
    assert gemms == [wanted]


def test_gradients_for_each_of_several_weights() -> None:
    both = jax.grad(convolved, (0, 1))
    gemms = step_gemms(jax.make_jaxpr(jax.vmap(both, (0, None)))(jnp.stack([KERNEL, 2 * KERNEL]), IMAGES))
    assert gemms == [LayerGemm("model", Gemm(100, 18, 3), 2, True, True, "conv_general_dilated", x_words=200)]
    both = jax.grad(lambda w, x: jnp.tanh(x @ w).sum(), (0, 1))
    gemms = step_gemms(jax.make_jaxpr(jax.vmap(both, (0, None)))(jnp.ones((5, 4, 6)), X))
    assert gemms == [LayerGemm("model", Gemm(3, 4, 6), 5, True, True)]
