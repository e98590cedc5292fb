"""What an estimator of a layer's gradients is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxgrad.autodiff.layer import Layer


class Saved(NamedTuple):
    """What a forward pass keeps for the backward pass: pytrees of arrays.

    Args:
        activations: what is made of the layer's input; its elements are the stored activation words.
        rest: anything else that the backward pass needs: the weights, a key, the emulator's own notes.
    """

    activations: Any = None
    rest: Any = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Codes:
    """Stored activations of fewer bits than their type has.

    Args:
        values: an array of integers.
        bits: that one takes.
    """

    values: Any
    bits: int = field(metadata={"static": True})


class Estimator(ABC):
    """How a layer's product ``y = x w`` and its gradients are computed, and what is kept between them.

    The layer's operands are ``lhs`` (x) and ``rhs`` (w) as its contraction has them: a convolution's are an image and a
    kernel. An implementation keeps these laws:

    - It is a frozen, hashable value: a static argument of the rule. What it does depends on shapes, on ``layer.dx`` and
      ``layer.dw`` and on itself, never on an operand's values.
    - Every product runs through ``layer``, at the rule's own level (not in a scan or a vmap of its own). What runs
      there is what it poses: simulator, counters and ``describe`` all have it from there.
    - ``backward`` knows ``saved`` and the cotangent. What is not in ``saved`` is not kept. Where ``layer.dw`` is False
      it needs no activations, and saves none, but for what the derivative of its own change of x asks for.
    - A gradient that is not wanted is None, and nothing runs for it.
    - Over the keys, the mean of ``backward`` is the gradient of the product that ``forward`` computes of the operands
      as it rounds them, or the class says what else it is.
    - An estimator of another one (``OfAnother``) changes operands and results, leaves the products to that one, and has
      its parameters.
    - Operands may be integers that stand for the layer's floats (codes): the array multiplies them exactly.
    - Where it has parameters, ``forward`` finds them in ``layer.parameters``, and ``backward`` puts their cotangents
      into ``layer.cotangents``. As they change the layer's x, they are trained only where ``layer.dx`` is True.
    """

    @property
    def random(self) -> bool:
        """Whether it needs a key. One that does not gets what the caller has, and leaves it alone."""
        return False

    @property
    def of_weights(self) -> bool:
        """Whether it is for products with weights alone: not for two activations, as in attention."""
        return False

    @property
    def parameters(self) -> Mapping[str, np.ndarray]:
        """Initial values of the parameters that each layer has for it, by name."""
        return {}

    @abstractmethod
    def forward(self, layer: Layer, lhs: Array, rhs: Array, key: Array | None) -> tuple[Array, Saved]:
        """The product, and what is kept.

        Args:
            layer: the array; which gradients are wanted.
            lhs, rhs: the operands.
            key: a PRNG key; the backward pass has it too if it is saved.
        """

    @abstractmethod
    def backward(self, layer: Layer, saved: Saved, cotangent: Array) -> tuple[Array | None, Array | None]:
        """The gradients that are wanted, of the operands' shapes and of any type of floats.

        Args:
            layer: the array; which gradients are wanted, and the operands' shapes and types.
            saved: what ``forward`` kept.
            cotangent: the product's.
        """


class OfAnother(Estimator):
    """An estimator of another one, ``of``: it is random, is for weights alone and has parameters as that one."""

    of: Estimator

    @property
    def random(self) -> bool:
        return self.of.random

    @property
    def of_weights(self) -> bool:
        return self.of.of_weights

    @property
    def parameters(self) -> Mapping[str, np.ndarray]:
        return self.of.parameters
