"""Counters: what a schedule did, as one exact, additive pytree (DESIGN.md section 4)."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float32, UInt32

from jaxgrad.array import wide
from jaxgrad.array.counts import ACCESSES, CYCLES, EFFECTUAL_MACS, KEYS, Key, by_column, by_name
from jaxgrad.array.wide import Wide
from jaxgrad.base.errors import InputError
from jaxgrad.base.tabular import Tabular

NAMES: tuple[str, ...] = tuple(key.name for key in KEYS)
LIMBS = 8
_LIMB_BITS = 8
_WORD_LIMBS = 4
_CAPACITY = 1 << 63
_KEY_OF = {key.name: key for key in KEYS}


def check_count(name: str, count: Any) -> None:
    """Refuses what no counter holds."""
    if not _is_within(count, _CAPACITY):
        raise InputError(name, count, "a counter holds 0 to 2**63 - 1")


def _is_within(count: Any, limit: int) -> bool:
    try:
        return 0 <= operator.index(count) < limit
    except TypeError:
        return False


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth value: compare as_dict()
class Counters(Tabular):
    """Event counts of one or more passes, exact below 2**63; a sum beyond stays there, and reading it says so.

    A 64-bit count is a pair of uint32, so that it needs no x64 mode and adds up exactly under jit, scan, vmap and
    sharding. Leading axes (from vmap or scan) are kept until ``sum`` folds them. Cycles are clock cycles, reads and
    writes are words of on-chip SRAM, hops are register-to-register moves between PEs.

    Args:
        high: the upper 32 bits of each count, in the order of ``NAMES``.
        low: the lower 32 bits.

    >>> (Counters.of(cycles=3, macs=4) + Counters.of(cycles=5)).as_dict()["cycles"]
    8
    """

    high: UInt32[Array, "*batch 15"]
    low: UInt32[Array, "*batch 15"]

    @classmethod
    def zero(cls) -> Counters:
        return cls.of()

    @classmethod
    def of(cls, **counts: int) -> Counters:
        """Counters from Python ints by name; a name left out is 0.

        Raises:
            ValueError: a name is unknown, or a count is not within 0 .. 2**63 - 1.
        """
        return cls.from_dict(counts)

    @classmethod
    def from_dict(cls, counts: Mapping[str, int]) -> Counters:
        """The inverse of ``as_dict``."""
        for name in counts:
            if name not in _KEY_OF:
                raise InputError("counter", name, f"choose among {', '.join(NAMES)}")
        return cls.from_counts({_KEY_OF[name]: count for name, count in counts.items()})

    @classmethod
    def from_counts(cls, counts: Mapping[Key, int]) -> Counters:
        """The inverse of ``counts``; a key left out is 0."""
        for key, count in counts.items():
            assert key in KEYS, key
            check_count(key.name, count)
        values = [operator.index(counts.get(key, 0)) for key in KEYS]
        return cls(
            high=jnp.asarray(np.array([value >> 32 for value in values], np.uint32)),
            low=jnp.asarray(np.array([value & 0xFFFFFFFF for value in values], np.uint32)),
        )

    def __add__(self, other: Counters) -> Counters:
        if not isinstance(other, Counters):
            return NotImplemented
        low = wide.add(_word(self.low), _word(other.low))
        return Counters(*_held(wide.add(wide.add(_word(self.high), _word(other.high)), _word(low.high)), low.low))

    def __sub__(self, other: Counters) -> Counters:
        """What is left of each count; ``other`` must not exceed it. Of what passed 2**63 nothing is known any more."""
        if not isinstance(other, Counters):
            return NotImplemented
        left = wide.subtract(self._pair, other._pair)
        return Counters(*_held(_word(left.high | _top(self.high) | _top(other.high)), left.low))

    def __radd__(self, other: Any) -> Counters:
        # sum([...]) starts from the int 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def sum(self) -> Counters:
        """Adds up all leading axes (the stacked outputs of vmap or scan)."""
        axes = self.low.ndim - 1
        low = wide.fold(_word(self.low), axes)
        return Counters(*_held(wide.add(wide.fold(_word(self.high), axes), _word(low.high)), low.low))

    def times(self, repeats: int) -> Counters:
        """The counts of ``repeats`` such runs."""
        if not _is_within(repeats, 1 << 32):
            raise InputError("repeats", repeats, "give a whole number below 2**32")
        factor = jnp.uint32(repeats)
        product = wide.multiply(self.low, factor)
        high = wide.add(wide.multiply(self.high, factor), _word(product.high))
        return Counters(*_held(high._replace(low=high.low | _top(self.high)), product.low))

    def with_effectual(self, effectual: Wide) -> Counters:
        """The same counts with ``effectual_macs``, which only data can tell, put in."""
        index = KEYS.index(EFFECTUAL_MACS)
        return Counters(self.high.at[..., index].set(effectual.high), self.low.at[..., index].set(effectual.low))

    def psum(self, axis_name: str | tuple[str, ...]) -> Counters:
        """The sum over the devices of a mapped axis, carries and all (up to 2**16 devices)."""
        return Counters.from_limbs(jax.lax.psum(self.to_limbs(), axis_name))

    def to_limbs(self) -> Float32[Array, "*batch 8 15"]:
        """Each count as 8 limbs of 8 bits, least first, in float32: the form in which a cotangent can carry it.

        A float32 sum of up to 2**16 such arrays is exact.
        """
        words = (self.low, self.high)
        limbs = [(words[index * _LIMB_BITS // 32] >> (index * _LIMB_BITS % 32)) & 0xFF for index in range(LIMBS)]
        return jnp.stack(limbs, axis=-2).astype(jnp.float32)

    @classmethod
    def from_limbs(cls, limbs: Float32[Array, "*batch 8 15"]) -> Counters:
        """The inverse of ``to_limbs``, also for a sum of up to 2**16 of them."""
        whole = limbs.astype(jnp.uint32)
        words = []
        for first in range(0, LIMBS, _WORD_LIMBS):
            word = _word(whole[..., first, :])
            for index in range(1, _WORD_LIMBS):
                limb, shift = whole[..., first + index, :], index * _LIMB_BITS
                word = wide.add(word, Wide(limb >> (32 - shift), limb << shift))
            words.append(word)
        low, high = words
        return cls(*_held(wide.add(high, _word(low.high)), low.low))

    def as_dict(self) -> dict[str, int]:
        """The counts as Python ints by name.

        Raises:
            ValueError: there are leading axes; which to add up is the caller's to say, with ``sum``. Or a count has
                passed 2**63 - 1.
        """
        return by_name(self.counts())

    def counts(self) -> dict[Key, int]:
        """The counts as Python ints by key; see ``as_dict``."""
        counts = self._read()
        for key, count in counts.items():
            if count is None:
                problem = "got more than 2**63 - 1, which no counter holds"
                raise InputError(key.name, None, "add up fewer runs at a time", problem=problem)
        return {key: count for key, count in counts.items() if count is not None}

    def _read(self) -> dict[Key, int | None]:
        """The counts; None for one that passed what a counter holds."""
        if self.low.ndim != 1:
            raise InputError(
                "counters",
                self.low.shape[:-1],
                "call sum() before as_dict()",
                problem=f"got leading axes {self.low.shape[:-1]}",
            )
        high, low = np.asarray(self.high).tolist(), np.asarray(self.low).tolist()
        values = [(upper << 32) | lower for upper, lower in zip(high, low, strict=True)]
        return {key: value if value < _CAPACITY else None for key, value in zip(KEYS, values, strict=True)}

    @property
    def cycles(self) -> int:
        """Clock cycles; see ``as_dict`` for the other counts.

        >>> Counters.of(cycles=3, macs=4).cycles
        3
        """
        return self.counts()[CYCLES]

    def columns(self) -> dict[str, list[int]]:
        """One row, a column for each count; see ``counts``."""
        return {name: [count] for name, count in by_column(self.counts()).items()}

    def accesses(self) -> int:
        """SRAM accesses in words: the sum of all reads and writes."""
        counts = self.counts()
        return sum(counts[key] for key in ACCESSES)

    def __repr__(self) -> str:
        if isinstance(self.low, Tracer) or self.low.ndim != 1:
            return f"Counters(<{len(NAMES)} counts, batch {self.low.shape[:-1]}>)"
        counts = {key.name: "over 2**63 - 1" if count is None else count for key, count in self._read().items()}
        shown = ", ".join(f"{name}={count}" for name, count in counts.items() if count)
        return f"Counters({shown})"

    def _repr_html_(self) -> str | None:
        # None: a notebook takes the text instead, where counts are traced, stacked or past what a counter holds.
        is_plain = not isinstance(self.low, Tracer) and self.low.ndim == 1
        return super()._repr_html_() if is_plain and None not in self._read().values() else None

    @property
    def _pair(self) -> Wide:
        return Wide(self.high, self.low)


def _word(value: Array) -> Wide:
    """A word as a pair."""
    return Wide(value - value, value)


def _top(high: Array) -> Array:
    """The bit that counts of 2**63 and more have."""
    return high >> 31 << 31


def _held(high: Wide, low: Array) -> Wide:
    """``high * 2**32 + low``, of which ``high`` may take 64 bits; all ones, for good, where it is 2**63 or more."""
    past = (high.high != 0) | (high.low >> 31 != 0)
    ones = jnp.uint32(0) - past.astype(jnp.uint32)
    return Wide(high.low | ones, low | ones)


def total(parts: Sequence[Counters]) -> Counters:
    """The sum of any number of counters, zero for none."""
    return sum(parts, start=Counters.zero())
