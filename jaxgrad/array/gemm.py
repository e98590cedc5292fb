"""The GEMM that a layer poses: ``y[B, N] = x[B, K] w[K, N]``, with the names and shapes its three products share."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgrad.base.errors import positive_integer


@dataclass(frozen=True)
class Gemm:
    """One layer's GEMM; DESIGN.md section 1.

    Args:
        batch: B, rows of x: the batch size, times the output positions for a convolution.
        in_features: K, columns of x and rows of w.
        out_features: N, columns of w.

    Raises:
        ValueError: a size is not a whole number of at least 1.

    >>> Gemm(batch=8, in_features=9, out_features=10).macs
    720
    """

    batch: int
    in_features: int
    out_features: int

    def __post_init__(self) -> None:
        for field in ("batch", "in_features", "out_features"):
            object.__setattr__(self, field, positive_integer(field, getattr(self, field)))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of any one of the layer's three products."""
        return self.batch * self.in_features * self.out_features

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each axis by its letter: b, k, n."""
        return {"b": self.batch, "k": self.in_features, "n": self.out_features}
