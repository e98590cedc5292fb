"""jaxgrad.pipelines.chain: atoms, loads and the words that cross a cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.base.errors import InputError
from jaxgrad.pipelines.chain import GRAINS, Chain, Grain
from jaxgrad.pipelines.network import Layer, Network
from tests.pipelines.networks import networks, plain

grains = st.sampled_from(GRAINS)


def load(network: Network, chain: Chain, start: int, stop: int) -> int:
    """What an array takes, added up layer by layer from the definition."""
    total = 0
    for number, layer in enumerate(network.layers):
        atoms = [atom for atom in chain.atoms[start:stop] if atom.layer == number]
        if any(len(atom.kinds) == 3 for atom in atoms):
            total += layer.forward + layer.backward + layer.update
            continue
        total += sum(atom.time for atom in atoms if atom.kinds == ("F",))
        parts = [atom.time for atom in atoms if atom.kinds == ("dX",)]
        all_parts = [atom for atom in chain.atoms if atom.layer == number and atom.kinds == ("dX",)]
        dx = min(layer.dx, sum(parts)) if len(parts) == len(all_parts) else sum(parts)
        updated = any(atom.kinds == ("dW",) for atom in atoms)
        dw = layer.dw * updated
        whole = parts and len(parts) == len(all_parts) and updated
        total += (min(layer.backward, dx + dw) if whole else dx + dw) + layer.update * updated
    return total


@given(network=networks(), grain=grains)
def test_loads_are_those_of_the_definition(network: Network, grain: Grain) -> None:
    chain = Chain(network, grain)
    for start in range(len(chain.atoms) + 1):
        for stop in range(start, len(chain.atoms) + 1):
            assert chain.loads[start, stop] == load(network, chain, start, stop)


@pytest.mark.parametrize(("grain", "count"), [("layers", 3), ("passes", 8), ("halves", 10)])
def test_atoms_of_three_layers(grain: Grain, count: int) -> None:
    """F and dW of the first, F, dX and dW of the others."""
    chain = Chain(plain(4, 6, 8), grain)
    assert len(chain.atoms) == count
    assert chain.loads[0, count] == chain.network.total == 8 + 18 + 24
    assert [atom.layer for atom in chain.atoms] == sorted(atom.layer for atom in chain.atoms)


def test_words_between_whole_layers() -> None:
    """The activation one way, its cotangent the other; what is read before the first and after the last is not cut."""
    chain = Chain(plain(1, 1, 1), "layers")
    assert chain.forward_words.tolist() == [0, 10, 10, 0]
    assert chain.backward_words.tolist() == [0, 10, 10, 0]


def test_words_within_a_layer() -> None:
    """Of two layers, F dW | F dX dW, cut between each: what the later atoms need of the earlier ones, and back."""
    chain = Chain(plain(1, 1), "passes")
    assert [atom.kinds[0] for atom in chain.atoms] == ["F", "dW", "F", "dX", "dW"]
    # x of the second layer: made by F, read by F and by dW at the end. Its input, the data, comes from outside.
    assert chain.forward_words.tolist() == [0, 10, 10, 10, 10, 0]
    # Its cotangent: made by dX, the fourth, read by dW of the first layer; W: updated after dW, read by F and dX.
    assert chain.backward_words.tolist() == [0, 100, 10, 110, 100, 0]


@given(network=networks(), grain=grains)
def test_a_tensor_crosses_a_cut_once_each_way_at_most(network: Network, grain: Grain) -> None:
    chain = Chain(network, grain)
    forward = sum(
        max((tensor.words for tensor in network.tensors if (tensor.number, tensor.part) == key), default=0)
        for key in {(tensor.number, tensor.part) for tensor in network.tensors}
    )
    assert (chain.forward_words <= forward).all()
    assert (chain.backward_words <= forward + network.weight_words).all()
    assert (chain.cut_words == chain.forward_words + chain.backward_words).all()
    assert chain.cut_words[0] == chain.cut_words[-1] == 0


def test_slices_are_no_more_than_the_whole() -> None:
    base = plain(1, 1, 1)
    first = base.tensors[1]
    cut = Network(
        base.layers,
        tuple(replace(first, part=part, words=3, target=target) for part, target in ((1, 1), (2, 2))),
        "macs",
    )
    assert Chain(cut, "layers").forward_words.tolist() == [0, 6, 3, 0]
    whole = Network(cut.layers, (*cut.tensors, replace(first, words=10)), "macs")
    assert Chain(whole, "layers").forward_words.tolist() == [0, 10, 3, 0]


def test_times_past_64_bits_are_refused() -> None:
    huge = Network((Layer("a", 2**62, (), 0, 1, 1, 0, 0),), (), "macs")
    with pytest.raises(InputError, match="give a smaller network or batch"):
        Chain(huge, "layers")


def test_an_update_is_where_dw_is() -> None:
    """Whole of a whole batch, and of each of three microbatches a third, rounded up."""
    network = plain(4, 6)
    network = replace(network, layers=tuple(replace(layer, update=7) for layer in network.layers))
    for grain in GRAINS:
        for microbatches, share in ((1, 7), (3, 3)):
            chain, before = Chain(network, grain, microbatches), Chain(plain(4, 6), grain)
            more = [atom.time - other.time for atom, other in zip(chain.atoms, before.atoms, strict=True)]
            assert more == [share * ("dW" in atom.kinds) for atom in chain.atoms]
            assert chain.loads[0, -1] == before.loads[0, -1] + 2 * share
