"""Taps: the inputs of a rule whose cotangents bring the counters out of a backward pass.

A custom-VJP rule may return nothing but cotangents, so a rule's counts leave as the cotangent of an input that takes
no part in its arithmetic. A float32 is exact to 2**24 only, hence the limbs of ``Counters.to_limbs``: the cotangents
of up to 2**16 uses of one tap add up exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32

from jaxgrad.array.counters import LIMBS, NAMES, Counters


class LayerCounters(NamedTuple):
    """What a layer's uses took: its forward products, and its gradients.

    >>> from jaxgrad import Accelerator, Gemm, count, count_forward
    >>> gemm, array = Gemm(batch=8, in_features=9, out_features=10), Accelerator(4, 4)
    >>> layer = LayerCounters(count_forward(gemm, array), count(gemm, array))
    >>> (layer + layer).total.as_dict()["macs"]
    4320
    """

    forward: Counters
    backward: Counters

    @property
    def total(self) -> Counters:
        return self.forward + self.backward

    def psum(self, axis_name: str | tuple[str, ...]) -> LayerCounters:
        """The sum over the devices of a mapped axis."""
        return LayerCounters(self.forward.psum(axis_name), self.backward.psum(axis_name))

    def __add__(self, other: object) -> LayerCounters:  # a tuple's own + would concatenate
        if not isinstance(other, LayerCounters):
            return NotImplemented
        return LayerCounters(self.forward + other.forward, self.backward + other.backward)

    def __radd__(self, other: object) -> LayerCounters:
        # sum([...]) starts from the int 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented


def new_tap(*stack: int) -> Float32[Array, "*stack 2 8 15"]:
    """A tap, all zeros; ``stack`` gives leading axes, for layers that are scanned or vmapped over."""
    return jnp.zeros((*stack, 2, LIMBS, len(NAMES)), jnp.float32)


def read_tap(cotangent: Float32[Array, "*stack 2 8 15"]) -> LayerCounters:
    """The counters in a tap's cotangent, leading axes added up."""
    forward, backward = (Counters.from_limbs(cotangent[..., row, :, :]).sum() for row in range(2))
    return LayerCounters(forward, backward)


def tap_cotangent(forward: Counters, backward: Counters) -> Float32[Array, "2 8 15"]:
    return jnp.stack([forward.to_limbs(), backward.to_limbs()])
