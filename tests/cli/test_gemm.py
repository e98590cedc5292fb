"""``jaxgrad gemm``: counters and a check that can fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.array.counters import NAMES
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.cli import main

SMALL_GEMM = ["gemm", "--batch", "5", "--in-features", "6", "--out-features", "7", "--rows", "4", "--cols", "3"]


def test_gemm_prints_every_counter_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL_GEMM) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in NAMES)
    assert len(re.findall("^pass: d[xw] ", text, re.MULTILINE)) == 2


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_gemm_prints_json_alone(fidelity: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL_GEMM, "--double-buffered", "--fidelity", fidelity, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"config", "counters", "check"}
    assert result["config"] == {
        "batch": 5, "in_features": 6, "out_features": 7, "rows": 4, "cols": 3, "double_buffered": True,
        "schedule": "interleaved", "fidelity": fidelity, "weight_update": "none", "objective": "cycles", "seed": 0,
    }  # fmt: skip
    # DESIGN.md section 2: 2 x 2 tiles, R + (T-1) max(2B,R) + (2B+R+C-2) + R cycles.
    assert result["counters"]["cycles"] == 4 + 3 * 10 + (10 + 4 + 3 - 2) + 4
    assert result["counters"]["macs"] == 2 * 5 * 6 * 7
    assert result["check"]["passed"]


def test_gemm_of_one_gradient_checks_that_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gemm", "--schedule", "os", "--json"]) == 0
    check = json.loads(capsys.readouterr().out)["check"]
    assert "dw" in check
    assert "dx" not in check


def test_gemm_fails_where_a_gradient_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jaxgrad.array.emulation import emulate

    def off_by_a_thousandth(*args: Any, **options: Any) -> Any:
        dx, dw, counters = emulate(*args, **options)
        assert dx is not None
        return dx.at[0, 0].add(1e-3), dw, counters

    monkeypatch.setattr("jaxgrad.array.emulation.emulate", off_by_a_thousandth)
    assert main(["gemm"]) == 1
    assert "FAIL: dx" in capsys.readouterr().out


def test_a_long_register_run_says_so_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Begun(Exception):
        pass

    def begin(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.setattr("jaxgrad.array.emulation.emulate", begin)
    size = ["--batch", "4096", "--in-features", "4096", "--out-features", "4096"]
    for fidelity, said in (
        # 65,536 tiles of 8,254 cycles, at .31 us.
        (
            "register",
            "note: register fidelity will take about 2.8 min on one core as a scan, besides compiling, and less ",
        ),
        ("tile", ""),
    ):
        with pytest.raises(Begun):
            main(["gemm", *size, "--fidelity", fidelity, "--json"])
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(said)
        assert err.count("\n") == bool(said)


MACHINE = """
[machine]
rows = 4
cols = 3
technology = "horowitz-45nm"
zero_gating = true
[machine.memory]
sram_kib = 1
dram_gb_per_s = 1.0
"""


def told(capsys: pytest.CaptureFixture[str], *typed: str) -> dict[str, Any]:
    assert main(["gemm", *typed, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("schedule", ["interleaved", "ws"])
def test_gemm_on_a_machine_costs_its_gradients_there_with_their_zeros(
    schedule: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE)
    typed = [*SMALL_GEMM[1:-4], "--schedule", schedule]
    result, alone = told(capsys, *typed, "--machine", "machine.toml"), told(capsys, *typed, *SMALL_GEMM[-4:])
    assert result["counters"] == alone["counters"]
    assert "on_machine" not in alone
    on_machine = result["on_machine"]
    # It all fits: one block, so the array's cycles are those of the counters.
    assert on_machine["time_cycles"] - on_machine["stall_cycles"] == alone["counters"]["cycles"]
    assert on_machine["ran"] == [schedule]
    # Once each: dY, W and X in bf16, dX in bf16 and dW in fp32; 20 pJ a bit.
    words = 2 * (5 * 7 + 6 * 7 + 5 * 6) if schedule == "ws" else 2 * (5 * 7 + 6 * 7 + 2 * 5 * 6) + 4 * 6 * 7
    assert on_machine["dram_bytes"] == words
    assert on_machine["energy_pj"]["dram"] == 20 * 8 * words
    assert on_machine["energy_pj"]["mac"] == pytest.approx(2.0 * result["counters"]["effectual_macs"])
    assert main(["gemm", *typed, "--machine", "machine.toml"]) == 0
    assert "The same in blocks through the machine's memories" in capsys.readouterr().out


def test_gemm_takes_the_sizes_of_a_layer(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = told(capsys, "--like", "conv2", "--batch", "2")["config"]
    # LeNet's second convolution on digits: 4 x 4 output positions, 5 x 5 x 6 inputs, 16 outputs.
    assert [config[key] for key in ("batch", "in_features", "out_features")] == [2 * 4 * 4, 5 * 5 * 6, 16]
    assert (config["model"], config["like"], config["images"]) == ("lenet", "conv2", 2)
    (elsewhere / "mine.py").write_text(
        "from flax import nnx\n\n\nclass Net(nnx.Module):\n    def __init__(self, input_shape, classes, *, rngs):\n"
        "        self.hidden = nnx.Linear(12, 5, rngs=rngs)\n        self.head = nnx.Linear(5, classes, rngs=rngs)\n\n"
        "    def __call__(self, x):\n        return self.head(nnx.relu(self.hidden(x.reshape(len(x), -1))))\n"
    )
    own = ["--model", "mine.py:Net", "--input-shape", "2x2x3", "--classes", "7", "--batch", "3"]
    config = told(capsys, *own, "--like", "head")["config"]
    assert [config[key] for key in ("batch", "in_features", "out_features")] == [3, 5, 7]
    assert main(["gemm", *own, "--like", "hidden"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The sizes are those of hidden of mine.Net, 3 images of 2x2x3; it needs no dX of it." in said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--like conv3", "--like: got 'conv3'; lenet has conv1, conv2, dense1, dense2, head: choose one"),
        ("--model resnet20 --like stage.1.conv", "--like: got 'stage.1.conv'; resnet20 has 20 layers, near it "),
        ("--model lenet", "--model: got 'lenet'; give --like too, a layer of the network, or leave it out"),
        ("--classes 4", "--classes: got 4; give --like too"),
        ("--like conv2 --out-features 3", "--out-features: got 3 and --like; the layer has it"),
        ("--like conv2 --model lenett", "--model: got 'lenett'; choose one of mlp, lenet"),
        ("--machine none.toml", "--machine: got 'none.toml'; there is no such file"),
        ("--machine machine.toml --cols 4", "--cols: got 4 and --machine; the file has it"),
        ("--machine tiny.toml --rows 9", "--rows: got 9 and --machine; the file has it"),
        ("--machine tiny.toml", "sram_bytes: got 1024; layer 'layer'"),
    ],
)
def test_a_layer_or_a_machine_that_will_not_do_is_one_line(
    typed: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE)
    (elsewhere / "tiny.toml").write_text(MACHINE.replace("rows = 4", "rows = 128"))
    assert main(["gemm", *typed.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {said}"), err
    assert len(err.splitlines()) == 1
