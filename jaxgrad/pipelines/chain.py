"""A network as a chain of atoms, which a pipeline's partition cuts: times, and the words that cross each cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Int

from jaxgrad.base.errors import InputError, one_of
from jaxgrad.pipelines.network import Layer, Network, Tensor

Kind = Literal["F", "dX", "dW"]
Grain = Literal["layers", "passes", "halves"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
"""How fine atoms are: a layer's forward and backward pass whole; F, dX and dW; the same with dX in two halves."""

_MOST = 2**62


class Atom(NamedTuple):
    """What one array computes of one layer, a part that is never split.

    Args:
        layer: its number.
        kinds: which passes it is.
        time: that they take, with what the update of W takes where dW is.
    """

    layer: int
    kinds: tuple[Kind, ...]
    time: int


class _Group(NamedTuple):
    """Atoms that take less time together, from one cut to another."""

    start: int
    stop: int
    saving: int


@dataclass(frozen=True)
class Chain:
    """Atoms in the order of the forward pass, those of a layer next to each other: F, then dX, then dW.

    Args:
        network: whose atoms they are.
        grain: how fine they are, one of ``GRAINS``.
        microbatches: into which a batch is cut, if the network's times are of one of them: an update of W, once a
            batch, adds its share to each, rounded up.

    Raises:
        InputError: a step takes 2^62 or more.
    """

    network: Network
    grain: Grain
    microbatches: int = 1

    def __post_init__(self) -> None:
        one_of("grain", self.grain, GRAINS)
        if (total := self.network.total) >= _MOST:
            raise InputError("time", total, "give a smaller network or batch: a step takes 2^62 or more")

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        return tuple(
            atom
            for place, layer in enumerate(self.network.layers)
            for atom in _atoms(place, layer, self.grain, self.update_share(place))
        )

    @cached_property
    def loads(self) -> Int[np.ndarray, "cuts cuts"]:
        """Time of an array that has the atoms from one cut to another.

        The two halves of a dX together take no more than the whole, and dX and dW no more than the layer's
        ``backward``.
        """
        passed = np.concatenate([[0], np.cumsum([atom.time for atom in self.atoms], dtype=np.int64)])
        loads = passed[None, :] - passed[:, None]
        for groups in self._groups():
            starts, ends = np.zeros((2, len(passed)), np.int64)
            for group in groups:
                starts[group.start + 1 :] += group.saving
                ends[group.stop :] += group.saving
            loads -= np.maximum(0, ends[None, :] - starts[:, None])
        return loads

    @cached_property
    def forward_words(self) -> Int[np.ndarray, " cuts"]:
        """Of each cut, both ends included: words that cross it towards the loss in a step, each tensor once."""
        spans = (
            self._spans((tensor.part, tensor.words, self._forward(tensor)) for tensor in tensors)
            for tensors in self._by_number.values()
        )
        return sum(spans, self._no_words)

    @cached_property
    def backward_words(self) -> Int[np.ndarray, " cuts"]:
        """The same towards the input: cotangents, and where F or dX is on another array than dW the weights that it
        has updated."""
        words = sum(
            (
                self._spans((tensor.part, tensor.words, self._back(tensor)) for tensor in tensors if tensor.returns)
                for tensors in self._by_number.values()
            ),
            self._no_words,
        )
        for number, layer in enumerate(self.network.layers):
            words = words + self._spans([(0, layer.weight_words, self.places(number, "F", "dX", "dW"))])
        return words

    @property
    def cut_words(self) -> Int[np.ndarray, " cuts"]:
        """Of each cut the words that cross it, both ways together."""
        return self.forward_words + self.backward_words

    @property
    def _no_words(self) -> Int[np.ndarray, " cuts"]:
        return np.zeros(len(self.atoms) + 1, np.int64)

    @cached_property
    def _by_number(self) -> dict[int, list[Tensor]]:
        by_number: dict[int, list[Tensor]] = {}
        for tensor in self.network.tensors:
            by_number.setdefault(tensor.number, []).append(tensor)
        return by_number

    def places(self, layer: int, *kinds: Kind) -> list[int]:
        """Where the atoms of a layer are that compute one of these; all of its atoms where none does."""
        of_layer = self._of_layer[layer]
        return [place for place in of_layer if set(kinds) & set(self.atoms[place].kinds)] or of_layer

    @cached_property
    def _of_layer(self) -> list[list[int]]:
        places: list[list[int]] = [[] for _ in self.network.layers]
        for place, atom in enumerate(self.atoms):
            places[atom.layer].append(place)
        return places

    def update_share(self, layer: int) -> int:
        """Of a layer's update, what falls on one microbatch."""
        return -(-self.network.layers[layer].update // self.microbatches)

    def _groups(self) -> tuple[list[_Group], list[_Group]]:
        """Pairs of halves, and backward passes; each list in order, without overlap."""
        if self.grain == "layers":
            return [], []
        pairs: list[_Group] = []
        backward: list[_Group] = []
        for number, layer in enumerate(self.network.layers):
            of_dx = [place for place in self._of_layer[number] if self.atoms[place].kinds == ("dX",)]
            if not of_dx:
                continue
            apart = sum(self.atoms[place].time for place in of_dx)
            dx = min(layer.dx, apart)
            pairs.append(_Group(of_dx[0], of_dx[-1] + 1, apart - dx))
            if layer.dw:
                together = min(layer.backward, dx + layer.dw)
                backward.append(_Group(of_dx[0], self._of_layer[number][-1] + 1, dx + layer.dw - together))
        return pairs, backward

    def _forward(self, tensor: Tensor) -> list[int]:
        """The atoms that make a tensor and that read it; of a product's operand its gradient reads it too."""
        if tensor.source is None or tensor.target is None:
            return []
        readers: tuple[Kind, ...] = {"x": ("F", "dW"), "w": ("F", "dX"), "y": ("F",)}[tensor.operand]
        return [*self.places(tensor.source, "F"), *self.places(tensor.target, *readers)]

    def _back(self, tensor: Tensor) -> list[int]:
        """The atoms that make a tensor's cotangent and that read it."""
        if tensor.source is None or tensor.target is None:
            return []
        makers: tuple[Kind, ...] = ("dW",) if tensor.operand == "w" else ("dX",)
        return [*self.places(tensor.target, *makers), *self.places(tensor.source, "dX", "dW")]

    def _spans(self, uses: Iterable[tuple[int, int, list[int]]]) -> Int[np.ndarray, " cuts"]:
        """Of each cut the words of a tensor that cross it: those of all of it, or the sum of its slices."""
        parts: dict[int, np.ndarray] = {}
        for part, words, atoms in uses:
            if atoms:
                across = parts.setdefault(part, self._no_words)
                span = slice(min(atoms) + 1, max(atoms) + 1)
                across[span] = np.maximum(across[span], words)
        whole = parts.pop(0, self._no_words)
        return np.where(whole > 0, whole, sum(parts.values(), self._no_words))


def _atoms(number: int, layer: Layer, grain: Grain, update: int) -> list[Atom]:
    if grain == "layers":
        return [Atom(number, ("F", "dX", "dW"), layer.forward + layer.backward + update)]
    halves = layer.halves if grain == "halves" else (layer.dx,) if layer.dx else ()
    atoms = [Atom(number, ("F",), layer.forward), *(Atom(number, ("dX",), time) for time in halves)]
    return [*atoms, Atom(number, ("dW",), layer.dw + update)] if layer.dw else atoms
