"""What a network is, read off shapes alone: nothing here allocates a weight or multiplies."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

from jaxgrad_models import INPUT_SHAPES, build


class _OneKey(nnx.RngStream):
    """Gives one key again and again. Shapes need no more, and counting keys makes Flax 0.12.8 trace in a time that
    grows with the square of the network."""

    def __call__(self) -> jax.Array:
        return self.key[...]


def abstract(make: Callable[[nnx.Rngs], nnx.Module]) -> Any:
    """What ``make`` gives, in shapes, and in evaluation mode: statistics that are written down slow the trace too."""

    def made() -> nnx.Module:
        rngs = nnx.Rngs(0)
        rngs.default = _OneKey(0, tag="default")  # pyright: ignore[reportAttributeAccessIssue]  # streams are attributes
        return make(rngs)

    model = nnx.eval_shape(made)
    model.eval()
    return model


@functools.cache
def network(name: str) -> Any:
    """A paper's network for its paper's images and 1000 classes, in shapes."""
    return abstract(lambda rngs: build(name, input_shape=INPUT_SHAPES[name], classes=1000, rngs=rngs))


def traced(module: nnx.Module, *shapes: Sequence[int]) -> ClosedJaxpr:
    """The module's forward pass on float32 arrays of these shapes."""
    graph, state = nnx.split(module)
    arrays = [jax.ShapeDtypeStruct(tuple(shape), jnp.float32) for shape in shapes]
    return jax.make_jaxpr(lambda state, *arrays: nnx.merge(graph, state)(*arrays))(state, *arrays)


def equations(jaxpr: ClosedJaxpr | Jaxpr) -> Iterator[JaxprEqn]:
    """Those of the functions it calls included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for item in value if isinstance(value, tuple | list) else (value,):
                if isinstance(item, ClosedJaxpr | Jaxpr):
                    yield from equations(item)


def output_shape(module: nnx.Module, shape: Sequence[int]) -> tuple[int, ...]:
    (out,) = traced(module, shape).out_avals
    return out.shape  # pyright: ignore[reportAttributeAccessIssue]  # an array's


def macs(module: nnx.Module, shape: Sequence[int]) -> int:
    """Multiply-accumulates of all convolutions and matrix products in the forward pass."""
    return sum(_macs(equation) for equation in equations(traced(module, shape)))


def weights(module: nnx.Module) -> int:
    """Weights of convolutions and dense layers alone: no biases, no norms."""
    return sum(math.prod(leaf.shape) for path, leaf in _parameters(module) if path[-1] == "kernel")


def parameters(module: nnx.Module) -> int:
    """All that is trained."""
    return sum(math.prod(leaf.shape) for _, leaf in _parameters(module))


def layers(module: nnx.Module, *kinds: type) -> int:
    return sum(isinstance(part, kinds) for _, part in nnx.iter_modules(module))


def _parameters(module: nnx.Module) -> list[tuple[tuple, Any]]:
    return list(nnx.to_flat_state(nnx.state(module, nnx.Param)))


def _macs(equation: JaxprEqn) -> int:
    shapes: list[tuple[int, ...]] = [var.aval.shape for var in (*equation.invars, *equation.outvars)]  # pyright: ignore[reportAttributeAccessIssue]  # arrays all
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return math.prod(shapes[-1]) * math.prod(shapes[0][axis] for axis in contracted)
    if equation.primitive.name == "conv_general_dilated":
        kernel, out_axis = shapes[1], equation.params["dimension_numbers"].rhs_spec[0]
        return math.prod(shapes[-1]) * math.prod(kernel) // kernel[out_axis]
    return 0
