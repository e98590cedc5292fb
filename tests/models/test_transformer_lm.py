"""jaxgrad_models.transformer_lm: what a token sees, and its products on the array."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.flax import put_on_array, value_and_grad
from jaxgrad.networks.network import resolve
from jaxgrad_models.transformer_lm import TransformerLM

BATCH, TIME, KINDS, WIDTH = 2, 5, 4, 6
ARRAY = Accelerator(3, 4)
TOKENS = jax.random.randint(jax.random.key(0), (BATCH, TIME), 0, KINDS)


def small(**options: Any) -> TransformerLM:
    return TransformerLM((TIME,), KINDS, width=WIDTH, depth=1, heads=2, rngs=nnx.Rngs(0), **options)


def loss(model: Any, tokens: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(tokens), tokens).mean()


def test_a_token_sees_itself_and_those_before_it() -> None:
    """Each token is changed in its turn: the logits before it stay, bit for bit, those from it on all change."""
    model = nnx.jit(small())
    logits = model(TOKENS)
    assert logits.shape == (BATCH, TIME, KINDS)
    for place in range(TIME):
        changed = model(TOKENS.at[:, place].set((TOKENS[:, place] + 1) % KINDS))
        differs = np.asarray(changed != logits).any(axis=(0, 2))
        assert differs.tolist() == [False] * place + [True] * (TIME - place)


def test_a_shorter_text_is_read_as_its_beginning() -> None:
    model = nnx.jit(small())
    np.testing.assert_allclose(model(TOKENS[:, :3]), model(TOKENS)[:, :3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tied", [False, True])
def test_all_products_are_on_the_array_and_every_parameter_learns(tied: bool) -> None:
    expected, gradients = nnx.jit(nnx.value_and_grad(loss))(small(tied=tied), TOKENS)
    model = put_on_array(small(tied=tied), Emulation(ARRAY, "interleaved"))
    value, grads, counters = nnx.jit(value_and_grad(loss))(model, TOKENS)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), grads, gradients)
    for path, leaf in jax.tree.leaves_with_path(gradients):
        # A constant added to all keys does not change the softmax over them.
        assert jnp.any(leaf != 0) or "key" in jax.tree_util.keystr(path), path
    rows, pairs, features = BATCH * TIME, 2 * BATCH, WIDTH // 2
    attention = "blocks.0.attention"
    sizes = {
        **{f"{attention}.{name}": (Gemm(rows, WIDTH, WIDTH), 1) for name in ("query", "key", "value", "out")},
        f"{attention}#1": (Gemm(TIME, features, TIME), pairs),
        f"{attention}#2": (Gemm(features, TIME, TIME), pairs),  # values are what streams
        "blocks.0.dense1": (Gemm(rows, WIDTH, 4 * WIDTH), 1),
        "blocks.0.dense2": (Gemm(rows, 4 * WIDTH, WIDTH), 1),
        "embedding" if tied else "head": (Gemm(rows, WIDTH, KINDS), 1),
    }
    assert set(counters) == set(sizes)
    for path, (gemm, times) in sizes.items():
        done, asked = counters[path], (count_forward(gemm, ARRAY), count(gemm, ARRAY, "interleaved"))
        for got, one in zip((done.forward, done.backward), asked, strict=True):
            assert got.as_dict() | {"effectual_macs": 0} == one.times(times).as_dict() | {"effectual_macs": 0}, path


def test_it_is_costed_by_name() -> None:
    model = jaxgrad_models.abstract("transformer-lm")
    batch = resolve("transformer-lm").batch(3, jaxgrad_models.INPUT_SHAPES["transformer-lm"])
    logits: Any = nnx.eval_shape(lambda model, tokens: model(tokens), model, batch)
    assert (batch.shape, batch.dtype, logits.shape) == ((3, 32), jnp.int32, (3, 32, 27))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width: got 0; give a whole number of at least 1"),
        ({"depth": True}, "depth: got True; give a whole number of at least 1"),
        ({"width": 6, "heads": 4}, "heads: got 4; give a number that divides width, here 6"),
    ],
)
def test_bad_sizes_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        jaxgrad_models.build("transformer-lm", input_shape=(4,), classes=3, rngs=nnx.Rngs(0), **options)
