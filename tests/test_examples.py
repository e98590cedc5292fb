"""Files in examples/ do what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.cli import main
from jaxgrad.hardware.files import load_machine
from jaxgrad.studies import schema
from tests.command import ROOT

EXAMPLES = ROOT / "examples"
# For each file, a command that takes it, small.
TAKEN = {
    "my_net.py": "compare --model {}:Net --input-shape 8x8x1 --json",
    "my_data.py": "train --data {}:stripes --model mlp --hidden 4 --epochs 1",
    "train_step.py": "profile {}:step --json",
    "digits.onnx": "profile {} --dim batch=4 --json",
    "machine.toml": "explain --machine {} --json",
    "own_machine.toml": "compare --model mlp --machine {} --json",
    "narrow_machine.toml": "compare --model mlp --machine {} --json",
    "half_bandwidth.toml": "run {} --check",
    "scalesim/machine.cfg": "scalesim -c {} -t " + str(EXAMPLES / "scalesim/conv.csv") + " --json",
}
# Read by another one of them.
NAMED_BY = {
    "technology.toml": "own_machine.toml",
    "synthesized_technology.toml": "narrow_machine.toml",
    "scalesim/conv.csv": "scalesim/machine.cfg",
}
APART = {"make_onnx.py"}


def test_every_file_is_looked_at() -> None:
    there = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if path.is_file()}
    assert {file for file in there if "__pycache__" not in file} == {*TAKEN, *NAMED_BY, *APART}


@pytest.mark.parametrize("file", TAKEN)
def test_a_command_takes_it(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(TAKEN[file].format(EXAMPLES / file).split()) == 0, capsys.readouterr().err


def test_the_machine_has_the_technology_beside_it() -> None:
    technology = load_machine(EXAMPLES / "own_machine.toml", "--machine").technology
    assert technology is not None
    assert technology.name == "mine"


def test_the_extended_experiment_changes_what_it_says() -> None:
    own, base = (schema.load(file) for file in (EXAMPLES / "half_bandwidth.toml", ROOT / "experiments/igo_large.toml"))
    assert own.machine["memory"]["dram_gb_per_s"] * 2 == base.machine["memory"]["dram_gb_per_s"]
    assert own.title != base.title
    assert not own.published


def test_the_onnx_file_is_what_its_script_writes() -> None:
    onnx = pytest.importorskip("onnx")
    namespace: dict[str, Any] = {"__name__": "make_onnx"}
    exec((EXAMPLES / "make_onnx.py").read_text(encoding="utf-8"), namespace)
    made, kept = namespace["classifier"](), onnx.load(EXAMPLES / "digits.onnx")
    assert made.graph.node == kept.graph.node
    assert made.graph.input == kept.graph.input
    for one, other in zip(made.graph.initializer, kept.graph.initializer, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(one), onnx.numpy_helper.to_array(other))
