"""A layer as SCALE-Sim's topology files have it; the size of its output by SCALE-Sim's rule and by the usual one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Product(NamedTuple):
    """``O[M, N] = A[M, K] B[K, N]``: ``m`` output pixels, ``n`` filters, ``k`` places of a window."""

    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k


@dataclass(frozen=True)
class Layer:
    """One row of a topology; sizes in pixels and channels, checked by whoever reads the file.

    A GEMM of M, N, K is what SCALE-Sim makes of it: an input of M by K pixels, one channel, and N filters of 1 by K.

    Args:
        stride: of the windows, downwards; to the right too where ``stride_width`` says nothing else.
        line: of the file, from 1.
        padding, batch, groups: what SCALE-Sim does not know; they take part in the corrected figures alone.
        row: of which the layer is a part that only SCALE-Sim makes.
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
        """The GEMM that SCALE-Sim runs: without padding, batch and groups."""
        window = self.filter_height * self.filter_width * self.channels
        return Product(self.ofmap_height * self.ofmap_width, self.filters, window)

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
        window = self.filter_height * self.filter_width * self.channels // self.groups
        return Product(self.batch * height * width, self.filters // self.groups, window)

    @property
    def overhangs(self) -> bool:
        """Whether SCALE-Sim's output has windows that leave the input."""
        return self.cropped != self.product


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
