"""A network's layers as arrays: equal ones once, with how often each is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.costs.transfers import Shapes
from jaxgrad.programs import LayerGemm


class Group(NamedTuple):
    """Layers that want the same gradients.

    Args:
        shapes: int64 arrays, one entry a layer.
        times: GEMMs a step.
        forward_times: with those that are computed again for the gradients.
        dx, dw: which gradients are wanted.
    """

    shapes: Shapes
    times: np.ndarray
    forward_times: np.ndarray
    dx: bool
    dw: bool


class Problems(NamedTuple):
    """All layers of a network; see ``Group``, whose fields these are, ``dx`` and ``dw`` by layer."""

    shapes: Shapes
    times: np.ndarray
    forward_times: np.ndarray
    dx: np.ndarray
    dw: np.ndarray

    @property
    def whole(self) -> Group:
        """All of them, whatever gradients they want."""
        return Group(self.shapes, self.times, self.forward_times, True, True)

    def groups(self) -> Iterator[Group]:
        """By what gradients they want."""
        for dx, dw in sorted(set(zip(self.dx.tolist(), self.dw.tolist(), strict=True))):
            alike = (self.dx == dx) & (self.dw == dw)
            shapes = self.shapes.each(lambda values, alike=alike: values[alike])
            yield Group(shapes, self.times[alike], self.forward_times[alike], dx, dw)

    def __len__(self) -> int:
        return len(self.times)


def problems(gemms: Sequence[LayerGemm], *, patches_in_dram: bool) -> Problems:
    """The layers of a training step.

    Args:
        gemms: from a trace.
        patches_in_dram: whether a convolution's patches are laid out in DRAM (or nothing is known of DRAM at all).

    Raises:
        ValueError: a size is beyond 64 bits.
    """
    often: dict[tuple[int, int, int, int, bool, bool], list[int]] = {}
    for gemm in gemms:
        b, k, n = gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features
        x_words = b * k if patches_in_dram else gemm.input_words
        if max(b * k, n, x_words, 2 * (gemm.times + gemm.recomputed) * len(gemms)) >= 1 << 62:
            raise InputError(
                "batch", b, "counts could pass 64 bits: give less", problem=f"got {b} rows in layer {gemm.path!r}"
            )
        total = often.setdefault((b, k, n, x_words, gemm.needs_dx, gemm.needs_dw), [0, 0])
        total[0] += gemm.times
        total[1] += gemm.times + gemm.recomputed
    dx, dw = (np.array(column) for column in zip(*(key[4:] for key in often), strict=True))
    times, forward = (np.array(column, np.int64) for column in zip(*often.values(), strict=True))
    shapes = Shapes.of(key[:4] for key in often).reduced()
    return Problems(shapes.each(lambda values: values.values), times, forward, dx, dw)
