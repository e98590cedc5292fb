"""What a choice among schedules took for a network, and why: which share of it each ran, and which axes are short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jaxgrad.array.choice import choose
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.schedules import Schedule, known
from jaxgrad.costs.anatomy import Fit, fits
from jaxgrad.costs.records import LayerCost, StepCost, time_cycles
from jaxgrad.hardware import Accelerator


@dataclass(frozen=True)
class Share:
    """The layers for which one schedule ran.

    Args:
        schedule: its name; several with " + " between where a layer's shapes, or the cores' shares, had different ones.
        layers: how many.
        cycles: of their backward passes, stalls included.
        short: by axis, how many of them have it shorter than the side of the array that it has to fill, or, streamed,
            than the rows whose loads it has to hide; the axes that are short most often first.
    """

    schedule: str
    layers: int
    cycles: int
    short: tuple[tuple[str, int], ...]


def short_axes(
    schedule: str | Schedule, gemm: Gemm, array: Accelerator, *, dx: bool = True, dw: bool = True
) -> tuple[Fit, ...]:
    """The axes that are too short for the array as a schedule lays them: the cause of idle PEs and open loads.

    >>> from jaxgrad import Accelerator, Gemm
    >>> short_axes("interleaved_n", Gemm(300, 576, 64), Accelerator(128, 128))
    (Fit(axis='n', length=64, side=128),)
    """
    chosen = choose(schedule, gemm, array, dx=dx, dw=dw)
    laid = [fit for mapping in chosen.mappings for fit in fits(mapping, gemm, array)]
    return tuple({fit.axis: fit for fit in laid if fit.length < fit.side}.values())


def is_choice(cost: StepCost, schedule: str) -> bool:
    """Whether it is a choice among schedules, so that others ran."""
    return any(other != schedule for layer in cost.layers for other in layer.ran.get(schedule, ()))


def shares(cost: StepCost, choice: str, array: Accelerator) -> tuple[Share, ...]:
    """By schedule that ran under ``choice``, the one of most layers first; layers without gradients are of none.

    Args:
        cost: with ``choice`` among its schedules.
        choice: a schedule's name.
        array: what it was costed on.
    """
    layers: dict[str, list[LayerCost]] = {}
    for layer in cost.layers:
        if ran := layer.ran.get(choice):
            layers.setdefault(" + ".join(ran), []).append(layer)
    found = [
        Share(
            name,
            len(those),
            sum(time_cycles(layer.backward[choice]) for layer in those),
            _short(choice, those, array),
        )
        for name, those in layers.items()
    ]
    return tuple(sorted(found, key=lambda share: -share.layers))


def _short(choice: str, layers: Iterable[LayerCost], array: Accelerator) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for layer in layers:
        ran = [known(name) for name in layer.ran[choice]]
        axes = {
            fit.axis
            for record in ran
            if record is not None
            for gemm in layer.gemms
            for fit in short_axes(record, gemm.gemm, array, dx=gemm.needs_dx, dw=gemm.needs_dw)
        }
        for axis in axes:
            counts[axis] = counts.get(axis, 0) + 1
    return tuple(sorted(counts.items(), key=lambda count: (-count[1], count[0])))
