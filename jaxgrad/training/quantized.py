"""Training in a few bits: which layers, by which estimator, and what that makes of an optimizer."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import optax

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff.estimators import EXACT, Estimator
from jaxgrad.quantization import (
    Quantized,
    blended,
    blended_decay,
    quantized,
    resolution_gradients,
    resolutions_in_range,
)
from jaxgrad.training import masks, optimizers
from jaxgrad.training.methods import QuantizationSection
from jaxgrad.training.sections import OptimizerSection
from jaxgrad.transform.rules import Rule, Rules

_RECORD, _WEIGHTS = "_on_array", "kernel"
_DECOUPLED = "adamw"


def rules(section: QuantizationSection, emulation: Emulation, of: Estimator = EXACT) -> list[Rule]:
    """The rules of a model: some layers, or none, in a few bits, and the gradients of all by an estimator."""
    if not section.quantizes:
        return [Rule("*", emulation, of)]
    few = quantized(
        section.weights_bits,
        section.activations_bits,
        by_input=section.by_input or "clipped_relu",
        by_resolution=section.by_resolution or "three_valued",
        of=of,
    )
    patterns = section.patterns
    weights_only = [
        Rule(pattern, emulation, replace(few, activations=None)) for pattern in section.weights_only_patterns
    ]
    others = [] if "*" in patterns else [Rule("*", emulation, of)]
    return [*weights_only, *(Rule(pattern, emulation, few) for pattern in patterns), *others]


def optimizer(
    section: OptimizerSection, rules: list[Rule], rho: float, rate: optax.ScalarOrSchedule
) -> optax.GradientTransformation:
    """The optimizer of a section, and what quantised layers make of it.

    Their weights are drawn to what the layers read, and weight decay is of the point between; resolutions have no
    decay, scaled and clipped gradients, and a range that they stay in. The decoupled decay of adamw stays as it is.
    Where the norm of all gradients is clipped, resolutions' are scaled before, and decay comes after.

    Args:
        section: the optimizer's.
        rules: the model's rules.
        rho: how far a step draws quantised weights.
        rate: the learning rate, by the step or always.
    """
    ruled = Rules.of(rules)
    few = next((rule.estimator for rule in rules if isinstance(rule.estimator, Quantized)), None)
    decay, decayed = section.weight_decay, masks.decayed(section.weight_decay_mask)
    clip = [] if section.clip_norm is None else [optax.clip_by_global_norm(section.clip_norm)]
    build = partial(optimizers.build, section.name, rate=rate, momentum=section.momentum, decayed=decayed)
    if few is None:
        plain = build(weight_decay=decay)
        return optax.chain(*clip, plain) if clip else plain

    def weights(params: Any) -> Any:
        return masks.by_path(
            params, lambda names: _WEIGHTS in names and _quantised(ruled, names[: names.index(_WEIGHTS)])
        )

    def resolutions(params: Any) -> Any:
        return masks.by_path(params, lambda names: _RECORD in names)

    def others(params: Any) -> Any:
        return jax.tree.map(lambda one, other: not one and not other, weights(params), resolutions(params))

    def decays(part: masks.Mask) -> masks.Mask:
        """Of a part of the parameters, those that decay."""
        return lambda params: jax.tree.map(operator.and_, part(params), decayed(params)) if decayed else part(params)

    first, last = [resolution_gradients(resolutions), *clip], [resolutions_in_range(resolutions)]
    if decay and section.name != _DECOUPLED:
        first.append(optax.masked(optax.add_decayed_weights(decay), decays(others)))
        if few.weights is None:
            first.append(optax.masked(optax.add_decayed_weights(decay), decays(weights)))
        else:
            first.append(blended_decay(decay, rho, few.weights, decays(weights)))
        decay = 0.0
    if few.weights is not None:
        last.append(blended(rho, few.weights, weights))
    return optax.chain(*first, build(weight_decay=decay), *last)


def _quantised(ruled: Rules, layer: list[str]) -> bool:
    return isinstance(ruled.estimator(".".join(layer) or "model"), Quantized)
