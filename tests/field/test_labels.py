"""The labels of a small model of each library, as its own names have them, written by hand."""

from __future__ import annotations

import importlib.util

import pytest

from jaxgrad import Accelerator, Emulation, emulate_function, profile

# Program of programs/, the module that has to be there for it, and the labels.
LABELS: dict[tuple[str, str, str], list[str]] = {
    ("haiku", "haiku_style", "perceptron"): ["mlp.linear_0", "mlp.linear_1"],
    ("flax", "linen_style", "train_state"): ["_Network.Conv_0", "_Network.Dense_0"],
    ("equinox", "equinox_style", "network_with_dropout"): ["layers.0", "layers.1"],
    ("penzai", "penzai_style", "perceptron"): ["0", "2"],
    ("keras", "keras_style", "stateless_call"): ["stem", "head"],
}


@pytest.mark.parametrize(("library", "style", "name"), LABELS)
def test_layers_have_their_librarys_names(library: str, style: str, name: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install 'jaxgrad[field]'")
    program = getattr(importlib.import_module(f"tests.field.programs.{style}"), name)()
    expected = LABELS[library, style, name]
    _, tally = emulate_function(program.function, Emulation(Accelerator(4, 4)))(*program.args)
    assert sorted(tally.sites) == sorted(expected)
    assert all(counters.backward.as_dict()["macs"] for counters in tally.sites.values())
    found = profile(program.function, *program.args)
    assert [gemm.path for gemm in found.gemms] == expected
    assert [node.name for node in found.graph.nodes] == expected
