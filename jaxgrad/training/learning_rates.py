"""The learning rate over a run: optax's own schedules, with a warm-up before any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import optax

from jaxgrad.base.errors import InputError, either
from jaxgrad.training.spans import Span

COSINE, CONSTANT, LINEAR, EXPONENTIAL, STEP = "cosine", "constant", "linear", "exponential", "step"
DECAYS: tuple[str, ...] = (COSINE, CONSTANT, LINEAR, EXPONENTIAL, STEP)

# What a decay leaves to its default; of `step` as for ResNets on CIFAR (He et al., CVPR 2016).
DEFAULTS: Mapping[str, Mapping[str, float | str]] = {
    EXPONENTIAL: {"decay_factor": 0.95},
    STEP: {"decay_factor": 0.1, "decay_at": "50%, 75%"},
}
_TAKERS: Mapping[str, Sequence[str]] = {
    "end_rate": (COSINE, LINEAR, EXPONENTIAL),
    "decay_factor": (EXPONENTIAL, STEP),
    "decay_at": (STEP,),
}


def check(
    learning_rate: float, decay: str, end_rate: float | None, decay_factor: float | None, decay_at: str | None
) -> None:
    """Refuses what does not go together, whatever the length of the run.

    Raises:
        InputError: a value that the decay has no use for, or a rate that rises to its end.
    """
    for key, value in (("end_rate", end_rate), ("decay_factor", decay_factor), ("decay_at", decay_at)):
        if value is not None and decay not in _TAKERS[key]:
            takers = either(map(repr, _TAKERS[key]))
            raise InputError(key, value, f"decay = {decay!r} has none: leave it out or choose decay = {takers}")
    if end_rate is not None and end_rate > learning_rate:
        raise InputError("end_rate", end_rate, f"give at most the learning rate (here {learning_rate:g})")


def learning_rate(
    peak: float,
    decay: str,
    *,
    steps: int,
    per_epoch: int,
    warmup: Span | None = None,
    end_rate: float | None = None,
    factor: float = 1.0,
    falls: Sequence[Span] = (),
) -> optax.ScalarOrSchedule:
    """The rate by the step, from 0; a number where it is always the same.

    >>> falling = learning_rate(0.8, "step", steps=100, per_epoch=10, factor=0.5, falls=[Span.of("", "5 epochs")])
    >>> float(falling(49)), float(falling(50))
    (0.800000011920929, 0.4000000059604645)
    >>> warm = learning_rate(0.5, "constant", steps=100, per_epoch=10, warmup=Span.of("", "10%"))
    >>> float(warm(0)), float(warm(5)), float(warm(10))
    (0.0, 0.25, 0.5)

    Args:
        peak: after the warm-up, or at the first step.
        decay: one of ``DECAYS``: ``cosine`` and ``linear`` go down to ``end_rate`` at the run's end, ``exponential`` by
            a factor an epoch, a little each step, and not below ``end_rate``; ``step`` by a factor at each fall.
        steps: how many there will be.
        per_epoch: steps an epoch.
        warmup: how long the rate rises from 0, in a straight line, before it decays over the rest of the run; as optax
            has it, the first step has a rate of 0.
        end_rate: 0 where it is None.
        factor: of ``exponential`` and ``step``.
        falls: of ``step``, from the run's first step on, warm-up or not.

    Raises:
        InputError: the warm-up takes the whole run, or a fall is outside of what is left of it, or falls are not one
            after the other.
    """
    warm = warmup.steps(total=steps, per_epoch=per_epoch) if warmup else 0
    if warm >= steps:
        raise InputError("warmup", str(warmup), f"the run has {steps:,} steps: give fewer, or train longer")
    rate = _decaying(peak, decay, steps, per_epoch, warm, end_rate or 0.0, factor, falls)
    if not warm:
        return rate
    rest = rate if callable(rate) else optax.constant_schedule(rate)
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warm), rest], [warm])


def _decaying(
    peak: float,
    decay: str,
    steps: int,
    per_epoch: int,
    warm: int,
    end_rate: float,
    factor: float,
    falls: Sequence[Span],
) -> optax.ScalarOrSchedule:
    """The rate by the step after the warm-up."""
    if decay == CONSTANT:
        return peak
    if decay == COSINE:
        return optax.cosine_decay_schedule(peak, steps - warm, alpha=end_rate / peak)
    if decay == LINEAR:
        return optax.linear_schedule(peak, end_rate, steps - warm)
    if decay == EXPONENTIAL:
        return optax.exponential_decay(peak, per_epoch, factor, end_value=end_rate)
    places = [fall.steps(total=steps, per_epoch=per_epoch) for fall in falls]
    text = ", ".join(map(str, falls))
    for fall, place in zip(falls, places, strict=True):
        if not warm < place < steps:
            begin = "the warm-up" if warm else "the first step"
            problem = f"got {str(fall)!r}, which is step {place:,}"
            remedy = f"give times after {begin} and before the end, of {warm:,} and {steps:,} steps"
            raise InputError("decay_at", text, remedy, problem=problem)
    if any(late <= early for early, late in pairwise(places)):
        raise InputError(
            "decay_at", text, f"give later and later times (these are steps {either(map(str, places), 'and')})"
        )
    return optax.piecewise_constant_schedule(peak, {place - warm: factor for place in places})
