"""What a function's GEMMs took, by where they stand in the program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import jax

from jaxgrad.array.counters import Counters, total
from jaxgrad.autodiff import LayerCounters

Sites = dict[str, LayerCounters]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # as Counters: compare as_dict()
class Tally:
    """The counters of one call: a pytree, additive, exact to 2**63.

    >>> from jaxgrad import Accelerator, Gemm, count, count_forward
    >>> gemm, array = Gemm(batch=8, in_features=9, out_features=10), Accelerator(4, 4)
    >>> tally = Tally({"train.py:12": LayerCounters(count_forward(gemm, array), count(gemm, array))})
    >>> tally.forward.as_dict()["macs"], tally.total.as_dict()["macs"]
    (720, 2160)

    Args:
        sites: forward and backward counters by the label of the forward GEMM: its layer's name, or ``file.py:line``;
            numbered where a layer or a line has several (``programs.layers``).
        notes: what was left to XLA, or taken for what it may not be; a line each.
    """

    sites: Sites
    notes: tuple[str, ...] = field(default=(), metadata={"static": True})

    @property
    def forward(self) -> Counters:
        return total([counters.forward for counters in self.sites.values()])

    @property
    def backward(self) -> Counters:
        return total([counters.backward for counters in self.sites.values()])

    @property
    def total(self) -> Counters:
        return total([counters.total for counters in self.sites.values()])

    def sum(self) -> Tally:
        """Adds up the leading axes that ``jax.vmap`` or ``lax.scan`` over the emulated function left."""
        return replace(self, sites=folded(self.sites))

    def psum(self, axis_name: str | tuple[str, ...]) -> Tally:
        """The sum over the devices of a mapped axis."""
        return replace(self, sites={label: counters.psum(axis_name) for label, counters in self.sites.items()})


def folded(sites: Mapping[str, LayerCounters]) -> Sites:
    """The counters with their leading axes added up."""
    return {label: LayerCounters(counters.forward.sum(), counters.backward.sum()) for label, counters in sites.items()}


def merged(one: Mapping[str, LayerCounters], other: Mapping[str, LayerCounters]) -> Sites:
    """The sum, site by site."""
    return {**one, **{label: one[label] + counters if label in one else counters for label, counters in other.items()}}


def nothing(labels: Iterable[str]) -> Sites:
    """Zero at each of some sites."""
    return {label: LayerCounters(Counters.zero(), Counters.zero()) for label in labels}
