"""A training step as a workload file for ASTRA-sim: compute times by layer, and what data parallelism exchanges.

The text format of ASTRA-sim 1.0, which ASTRA-sim 2.0 reads through Chakra's converter (input type Text): the
parallelism, the number of layers, then a line a layer with twelve columns parted by tabs: its name, -1, and for forward
pass, input gradient and weight gradient each the compute time, the collective that follows it and the bytes it
exchanges; last, the time of the update.

ASTRA-sim 1.0 takes the times for ns. Chakra's converter hands them on unchanged as microseconds, so that for it the
clock has to be told a thousand times as fast.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from jaxgrad.base.errors import InputError, number, one_of, positive_integer
from jaxgrad.costs import Counts, LayerCost, StepCost, time_cycles

_NO_EXCHANGE = ("NONE", 0)


def workload(
    cost: StepCost,
    schedule: str,
    *,
    clock_ghz: float,
    word_bytes: int = 4,
    update_words_per_cycle: int = 128,
    parameters: Mapping[str, int] | None = None,
) -> str:
    """The workload of one step of data-parallel training, times in ns, rounded up.

    A pass that computes both gradients at once is told as the weight gradient's: the exchange, and the gradients of
    the layer below, can begin when it ends.

    Args:
        cost: of one step, such as from ``costs.step_cost``.
        schedule: one of the cost's.
        clock_ghz: of the array, in GHz; in THz, if the file is for Chakra's converter, which takes ns for microseconds.
        word_bytes: of one weight's gradient, in bytes.
        update_words_per_cycle: weights that are updated in a cycle.
        parameters: words of all trainable parameters by their paths, such as ``flax.parameter_words`` gives. Those of
            no layer of the cost, as a norm's, are exchanged with the layer that shares most of their path, the first
            of several, whose gradients are the last to be there. Those of a layer without weight gradients are frozen.
            If left out, weights alone are exchanged: a convolution's GEMMs are its groups, each with weights of its
            own, and any other layer's are calls with the same weights.

    Raises:
        ValueError: a schedule that was not costed, or a number that will not do.
    """
    one_of("schedule", schedule, cost.schedules)
    number("clock_ghz", clock_ghz, above=True)
    positive_integer("word_bytes", word_bytes)
    positive_integer("update_words_per_cycle", update_words_per_cycle)
    if cost.steps != 1:
        raise InputError("cost", cost.steps, "give that of one", problem=f"got the cost of {cost.steps} steps")

    def ns(cycles: float) -> int:
        return math.ceil(cycles / clock_ghz)

    if parameters is None:
        exchanged = {layer.path: _weights(layer) for layer in cost.layers if _trained(layer)}
    else:
        exchanged = _exchanged(cost, parameters)
    lines = ["DATA", str(len(cost.layers))]
    for layer in cost.layers:
        phases = layer.phases[schedule]
        words = exchanged.get(layer.path, 0)
        columns = (
            *(_name(layer.path), -1, ns(_cycles(phases, "forward")), *_NO_EXCHANGE),
            *(ns(_cycles(phases, "dx")), *_NO_EXCHANGE),
            *(ns(_cycles(phases, "dw", "dx+dw")), *(("ALLREDUCE", words * word_bytes) if words else _NO_EXCHANGE)),
            ns(_cycles(phases, "update") + math.ceil(words / update_words_per_cycle)),
        )
        lines.append("\t".join(map(str, columns)))
    return "\n".join(lines) + "\n"


def _name(path: str) -> str:
    """A layer's name in one word, as the format's columns are parted by white space."""
    return "_".join(path.split())


def _cycles(phases: Mapping[str, Counts], *names: str) -> int:
    """Of the phases together, those in which the array waits for memory included."""
    return sum(time_cycles(phases[name]) for name in names if name in phases)


def _trained(layer: LayerCost) -> bool:
    return any(gemm.needs_dw and gemm.weights for gemm in layer.gemms)


def _exchanged(cost: StepCost, parameters: Mapping[str, int]) -> dict[str, int]:
    """Words of parameters by the layer with whose weights they are exchanged."""
    paths = [layer.path for layer in cost.layers if _trained(layer)]
    frozen = {layer.path for layer in cost.layers if any(gemm.weights for gemm in layer.gemms)} - {*paths}
    exchanged = dict.fromkeys(paths, 0)
    for parameter, words in parameters.items():
        if parameter.rpartition(".")[0] not in frozen and paths:
            nearest = max(paths, key=lambda path: _shared(path, parameter))  # the first of several
            exchanged[nearest] += words
    return exchanged


def _shared(path: str, parameter: str) -> int:
    """Parts that two paths begin with alike; a path's last part may be numbered."""
    parts = zip(path.partition("#")[0].split("."), parameter.split("."), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], parts))


def _weights(layer: LayerCost) -> int:
    gemm = layer.gemms[0]
    groups = gemm.times if gemm.kind == "conv_general_dilated" else 1
    return groups * gemm.gemm.in_features * gemm.gemm.out_features
