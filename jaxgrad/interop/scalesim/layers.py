"""A layer as SCALE-Sim's topology files have it; the size of its output by SCALE-Sim's rule and by the usual one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class Product(NamedTuple):
    """``O[M, N] = A[M, K] B[K, N]``: ``m`` output pixels, ``n`` filters, ``k`` places of a window."""

    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k


class Sparsity(NamedTuple):
    """Filters with zeros: of each ``block`` places of a window, in their order, the first ``kept`` are stored and
    multiplied, the others are zero. SCALE-Sim writes it N:M.

    >>> Sparsity(2, 4).places(11)  # 0 1 . . 4 5 . . 8 9 .
    6
    """

    kept: int
    block: int

    def places(self, window: int) -> int:
        """How many of the places of a window are stored."""
        blocks, rest = divmod(window, self.block)
        return blocks * self.kept + min(rest, self.kept)


DENSE = Sparsity(1, 1)


class RowWise(NamedTuple):
    """Filters with a ratio N:M each, N drawn from 1 to M / 2: SCALE-Sim's OptimizedMapping.

    Two blocks of a filter share the rows of the array that one dense block takes, M / 2 slots each.

    Args:
        block: M, the places that a ratio is of.
        seed: of the draws, which begin anew with each layer.
    """

    block: int
    seed: int

    def slots(self, window: int) -> int:
        """Rows of the array that a filter takes, empty ones among them.

        >>> RowWise(4, seed=40).slots(11)  # two pairs of blocks, the last of them empty
        8
        """
        return -(-window // (2 * self.block)) * self.block


@dataclass(frozen=True)
class Layer:
    """One row of a topology; sizes in pixels and channels, checked by whoever reads the file.

    A GEMM of M, N, K is what SCALE-Sim makes of it: an input of M by K pixels, one channel, and N filters of 1 by K.

    Args:
        stride: of the windows, downwards; to the right too where ``stride_width`` says nothing else.
        line: of the file, from 1.
        padding, batch, groups: what SCALE-Sim does not know; they take part in the corrected figures alone.
        row: of which the layer is a part that only SCALE-Sim makes.
        sparsity: of the filters, where SCALE-Sim is told to make use of it.
        row_wise: where it is told to draw one for each filter; then storage alone uses ``sparsity``, the file's.
    """

    name: str
    ifmap_height: int
    ifmap_width: int
    filter_height: int
    filter_width: int
    channels: int
    filters: int
    stride: int
    line: int = 0
    padding: int = 0
    batch: int = 1
    groups: int = 1
    stride_width: int | None = None
    row: Row | None = None
    sparsity: Sparsity | None = None
    row_wise: RowWise | None = None

    @property
    def strides(self) -> tuple[int, int]:
        """Downwards and to the right."""
        return self.stride, self.stride if self.stride_width is None else self.stride_width

    @property
    def ofmap_height(self) -> int:
        """By SCALE-Sim's rule: rounded up, so that a remainder of the stride makes one row more."""
        return _rounded_up(self.ifmap_height - self.filter_height, self.strides[0])

    @property
    def ofmap_width(self) -> int:
        return _rounded_up(self.ifmap_width - self.filter_width, self.strides[1])

    @property
    def product(self) -> Product:
        """The GEMM that SCALE-Sim runs: without padding, batch and groups, of what is stored (or of slots)."""
        return self.dense_product._replace(k=self._stored(self.window))

    @property
    def dense_product(self) -> Product:
        """The same with all places of the windows."""
        return Product(self.ofmap_height * self.ofmap_width, self.filters, self.window)

    @property
    def window(self) -> int:
        """Places of a window."""
        return self.filter_height * self.filter_width * self.channels

    @property
    def cropped(self) -> Product:
        """The same by the usual rule for the output's size: windows that leave the input are left out."""
        height = (self.ifmap_height - self.filter_height) // self.strides[0] + 1
        width = (self.ifmap_width - self.filter_width) // self.strides[1] + 1
        return self.product._replace(m=height * width)

    @property
    def true_product(self) -> Product:
        """The GEMM of one group by the usual rule, with padding, batch and groups."""
        height = (self.ifmap_height + 2 * self.padding - self.filter_height) // self.strides[0] + 1
        width = (self.ifmap_width + 2 * self.padding - self.filter_width) // self.strides[1] + 1
        window = self._stored(self.window // self.groups)
        return Product(self.batch * height * width, self.filters // self.groups, window)

    @property
    def condensed(self) -> Layer:
        """The layer of the stored words alone, without zeros, where every pixel has the same channels stored.

        Its windows ask for words as this layer's do, one for one.

        >>> Layer("conv", 9, 7, 3, 2, 8, 6, 2, sparsity=Sparsity(2, 4)).condensed.channels
        4
        """
        if self.sparsity is None or self.channels % self.sparsity.block:
            return self
        return replace(self, channels=self.sparsity.places(self.channels), sparsity=None)

    @property
    def overhangs(self) -> bool:
        """Whether SCALE-Sim's output has windows that leave the input."""
        return self.cropped != self.product

    def _stored(self, window: int) -> int:
        if self.row_wise is not None:
            return self.row_wise.slots(window)
        return window if self.sparsity is None else self.sparsity.places(window)


class Row(NamedTuple):
    """The row of a file that SCALE-Sim takes for a depthwise layer, although nothing but its name says so.

    Args:
        layer: as the file has it.
        part: which of its channels SCALE-Sim makes a layer of, from 0.
    """

    layer: Layer
    part: int


def _rounded_up(room: int, stride: int) -> int:
    return -(-(room + stride) // stride)


def gemm_layer(name: str, m: int, n: int, k: int, line: int = 0) -> Layer:
    return Layer(name, m, k, 1, k, 1, n, 1, line)


def with_sparsity(layer: Layer, used: bool, row_wise: RowWise | None = None) -> Layer:
    """The layer as a machine takes it that makes use of its sparsity, or does not; without a ratio it is 1:1."""
    row = None if layer.row is None else layer.row._replace(layer=with_sparsity(layer.row.layer, used, row_wise))
    return replace(layer, row=row, sparsity=(layer.sparsity or DENSE) if used else None, row_wise=row_wise)
