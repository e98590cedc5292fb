"""NNX models that put Flax's ways of building and calling layers to the test. Each maps [3, 6] to something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

Build = Callable[[nnx.Rngs], nnx.Module]


class Block(nnx.Module):
    """A layer, a normalisation with parameters, and dropout, which draws random numbers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(6, 6, rngs=rngs)
        self.norm = nnx.LayerNorm(6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.dropout(nnx.relu(self.norm(self.dense(x))))


class Scanned(nnx.Module):
    """Three blocks in one, one after the other."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=0, out_axes=0)
        def build(rngs: nnx.Rngs) -> Block:
            return Block(rngs)

        self.blocks = build(rngs)

    def __call__(self, x: Array) -> Array:
        @nnx.scan(in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        def run(block: Block, x: Array) -> Array:
            return block(x)

        return run(self.blocks, x)


class ScannedByState(nnx.Module):
    """As ``Scanned`` without dropout, but with axes named by the kind of state: taps are broadcast."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=0, out_axes=0)
        def build(rngs: nnx.Rngs) -> nnx.Linear:
            return nnx.Linear(6, 6, rngs=rngs)

        self.layers = build(rngs)

    def __call__(self, x: Array) -> Array:
        @nnx.scan(in_axes=(nnx.StateAxes({nnx.Param: 0, ...: None}), nnx.Carry), out_axes=nnx.Carry)
        def run(layer: nnx.Linear, x: Array) -> Array:
            return nnx.tanh(layer(x))

        return run(self.layers, x)


class Ensemble(nnx.Module):
    """Three layers in one, side by side."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=0, out_axes=0)
        def build(rngs: nnx.Rngs) -> nnx.Linear:
            return nnx.Linear(6, 4, rngs=rngs)

        self.members = build(rngs)

    def __call__(self, x: Array) -> Array:
        @nnx.vmap(in_axes=(0, None), out_axes=0)
        def run(member: nnx.Linear, x: Array) -> Array:
            return member(x)

        return run(self.members, x)


class Remat(nnx.Module):
    """A layer, and two whose forward is run again for the backward pass; of the second nothing needs the output."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.before = nnx.Linear(6, 6, rngs=rngs)
        self.first = nnx.Linear(6, 6, rngs=rngs)
        self.second = nnx.Linear(6, 6, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        @nnx.remat
        def run(model: Remat, x: Array) -> Array:
            return model.second(nnx.tanh(model.first(x)))

        return run(self, nnx.tanh(self.before(x)))


class Recurrent(nnx.Module):
    """An LSTM over four steps of time."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.rnn = nnx.RNN(nnx.OptimizedLSTMCell(6, 5, rngs=rngs))

    def __call__(self, x: Array) -> Any:
        return self.rnn(x[:, None, :] * jnp.arange(4.0)[:, None])


class Attention(nnx.Module):
    """Attention, and the layers that contract in general."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(2, 6, decode=False, rngs=rngs)
        self.einsum = nnx.Einsum("...a,abc->...bc", (6, 2, 3), (2, 3), rngs=rngs)
        self.general = nnx.LinearGeneral((2, 3), (4,), axis=(-2, -1), rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.general(self.einsum(x + self.attention(x[None])[0]))


class Shared(nnx.Module):
    """The same layer under two names, called twice."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(6, 6, rngs=rngs)
        self.again = self.dense
        self.head = nnx.Linear(6, 2, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.head(self.again(nnx.relu(self.dense(x))))


class Stateful(nnx.Module):
    """Batch statistics and a random stream, both updated by a call."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(6, 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.dropout(self.norm(self.dense(x)))


class Frozen(nnx.Module):
    """Of whose four layers only the third is to be trained."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first, self.second, self.trained, self.last = (nnx.Linear(6, 6, rngs=rngs) for _ in range(4))

    def __call__(self, x: Array) -> Array:
        return self.last(self.trained(nnx.relu(self.second(nnx.relu(self.first(x))))))


class Convolutions(nnx.Module):
    """Convolutions with everything ``nnx.Conv`` does beyond lax: padding of its own, masks, several batch axes."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.circular = nnx.Conv(1, 2, (3,), padding="CIRCULAR", rngs=rngs)
        self.causal = nnx.Conv(2, 4, 3, padding="CAUSAL", kernel_dilation=2, rngs=rngs)
        self.reflect = nnx.Conv(4, 4, (3,), padding="REFLECT", strides=2, feature_group_count=2, rngs=rngs)
        mask = jnp.asarray([1.0, 0.0, 1.0])[:, None, None] * jnp.ones((3, 1, 4))
        self.depthwise = nnx.Conv(4, 4, (3,), mask=mask, feature_group_count=4, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = jnp.stack([x, -x])[..., None]  # [2, 3, 6, 1]: two batch axes
        return self.depthwise(nnx.tanh(self.reflect(self.causal(self.circular(x)))))


MODELS: dict[str, Build] = {
    kind.__name__: kind
    for kind in (
        Scanned,
        ScannedByState,
        Ensemble,
        Remat,
        Recurrent,
        Attention,
        Shared,
        Stateful,
        Convolutions,
    )
}


def images() -> Array:
    return jax.random.normal(jax.random.key(0), (3, 6))


def loss(model: Callable[[Array], Array], x: Array) -> Array:
    return (model(x) ** 2).sum()
