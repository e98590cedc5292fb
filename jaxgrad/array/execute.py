"""Runs a mapping on data, at one of the three fidelities (DESIGN.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from functools import reduce

import jax
import jax.numpy as jnp
from jax import Array

from jaxgrad.array import closed_form, registers, wide
from jaxgrad.array.counters import Counters
from jaxgrad.array.counts import KEYS
from jaxgrad.array.kernel.engine import Engine
from jaxgrad.array.mapping import AXES, OPERANDS, Mapping, Product, Result, named, oriented
from jaxgrad.array.passes import tile_events, tiles
from jaxgrad.array.passes.base import Pass
from jaxgrad.array.passes.combinators import together
from jaxgrad.array.passes.events import Count, Events
from jaxgrad.array.wide import Wide
from jaxgrad.hardware import Accelerator

FIDELITIES: tuple[str, ...] = ("register", "tile", "native")


def run(
    mapping: Mapping, tensors: Dictionary[str, Array], array: Accelerator, fidelity: str
) -> tuple[dict[str, Array], Counters]:
    """Runs the products of a mapping, in float32 of its own where operands are: not in what a GPU or a TPU multiplies
    floats in by default (DESIGN.md section 6).

    Args:
        mapping: what lies where.
        tensors: the operands by name, each with the axes of ``mapping.AXES``.
        array: the hardware.
        fidelity: ``register``, ``tile`` or ``native``.

    Returns:
        The results by name, in the precision of the accumulators, and what it took.
    """
    # Here for every pass, one of the user's own too: a matmul of a tile names no precision.
    with jax.default_matmul_precision("highest"):
        return _run(mapping, tensors, array, fidelity)


def _run(
    mapping: Mapping, tensors: Dictionary[str, Array], array: Accelerator, fidelity: str
) -> tuple[dict[str, Array], Counters]:
    if fidelity == "native":
        return _native(mapping, tensors, array)
    alone = mapping.alone(shadows=array.double_buffered)
    if len(alone) > 1 and fidelity == "register":
        return _one_by_one(alone, tensors, array, fidelity)
    name, axes = mapping.stream
    h = oriented(tensors[name], name, axes)
    operands = tuple(oriented(tensors[n], n, a) for n, a in map(mapping.operand, range(len(mapping.products))))
    if fidelity == "tile":
        results, effectual = tiles.run(_pass(mapping, shadows=False), h, operands, array.rows, array.cols)
        (s, p), q = h.shape, tuple(operand.shape[1] for operand in operands)
        events = _with_effectual(tile_events.walk(mapping.keeps, mapping.order, s, p, q, array), effectual)
    else:
        shadows = array.double_buffered
        engine = Engine(_pass(mapping, shadows=shadows), mapping.order, shadows, mapping.couples_tiles)
        results, events = registers.run(engine, h, operands, array.rows, array.cols)
    outputs = {}
    for slot, values in enumerate(results):
        name, axes = mapping.result(slot)
        outputs[name] = oriented(values, name, axes)
    return outputs, counters(events, mapping)


def counters(events: Events, mapping: Mapping) -> Counters:
    """Events as named counters; traced where the events are."""
    counts = named(events, mapping)
    pairs = [reduce(wide.add, map(_as_wide, counts.get(key, [0]))) for key in KEYS]
    return Counters(jnp.stack([pair.high for pair in pairs]), jnp.stack([pair.low for pair in pairs]))


def effectual_macs(result: Result, tensors: Dictionary[str, Array]) -> Wide:
    """MACs of one product whose operands are both non-zero, from the data alone (DESIGN.md section 2).

    Along the contracted axis, each non-zero of one operand meets every non-zero of the other.
    """
    first, second = OPERANDS[result]
    (contracted,) = set(AXES[first]) & set(AXES[second])
    met = [wide.count_nonzero(tensors[name], 1 - AXES[name].index(contracted)) for name in (first, second)]
    return wide.dot(*met)


def _native(mapping: Mapping, tensors: Dictionary[str, Array], array: Accelerator) -> tuple[dict[str, Array], Counters]:
    name, axes = mapping.stream
    s, p = oriented(tensors[name], name, axes).shape
    slots = range(len(mapping.products))
    q = tuple(oriented(tensors[name], name, axes).shape[1] for name, axes in map(mapping.operand, slots))
    events = closed_form.events(mapping.keeps, mapping.order, s, p, q, array)
    effectual = tuple(effectual_macs(product.result, tensors) for product in mapping.products)
    outputs = {product.result: _matmul(product, tensors) for product in mapping.products}
    return outputs, counters(_with_effectual(events, effectual), mapping)


def _matmul(product: Product, tensors: Dictionary[str, Array]) -> Array:
    first, second = OPERANDS[product.result]
    formula = f"{AXES[first]},{AXES[second]}->{AXES[product.result]}"
    return jnp.einsum(formula, tensors[first], tensors[second])


def _one_by_one(
    mappings: Iterable[Mapping], tensors: Dictionary[str, Array], array: Accelerator, fidelity: str
) -> tuple[dict[str, Array], Counters]:
    outputs: dict[str, Array] = {}
    counts = Counters.zero()
    for part in mappings:
        outs, spent = _run(part, tensors, array, fidelity)
        outputs |= outs
        counts += spent
    return outputs, counts


def _pass(mapping: Mapping, *, shadows: bool) -> Pass:
    return together([product.dataflow.new_pass() for product in mapping.products], shadows=shadows)


def _with_effectual(events: Events, effectual: tuple[Wide, ...]) -> Events:
    slots = tuple(slot._replace(effectual_macs=count) for slot, count in zip(events.slots, effectual, strict=True))
    return events._replace(slots=slots)


def _as_wide(count: Count) -> Wide:
    return count if isinstance(count, Wide) else wide.of(count)
