"""``jaxgrad compare``: schedules side by side, from shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli import main
from jaxgrad.costs import TRAINING_SCHEDULES
from jaxgrad.training import data


def test_compare_prints_a_table_and_draws(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "mlp", "--out", "here"]) == 0
    text = capsys.readouterr().out
    assert all(schedule in text for schedule in TRAINING_SCHEDULES)
    files = {path.name for path in (elsewhere / "here").iterdir()}
    assert files == {
        "astra-sim", "compare.json", *(f"tables.{form}" for form in ("txt", "csv", "md", "tex")),
        *(f"{name}.{form}" for name in ("cycles", "accesses", "choices") for form in ("png", "svg", "pdf")),
    }  # fmt: skip


def test_compare_writes_a_workload_for_astra_sim_for_each_schedule(elsewhere: Path) -> None:
    """Times at twice the clock are half as long; the exchange is kernel and bias, in bytes."""
    assert main(["compare", "--model", "mlp", "--out", "slow"]) == 0
    assert main(["compare", "--model", "mlp", "--out", "fast", "--clock-ghz", "2"]) == 0
    for schedule in TRAINING_SCHEDULES:
        slow, fast = (
            [line.split("\t") for line in (elsewhere / name / "astra-sim" / f"{schedule}.txt").read_text().splitlines()]
            for name in ("slow", "fast")
        )
        assert (slow[0], int(slow[1][0])) == (["DATA"], len(slow) - 2)
        for one, two in zip(slow[2:], fast[2:], strict=True):
            assert int(two[2]) == -(-int(one[2]) // 2)
            assert one[10] == two[10]
    assert int(slow[-1][10]) == 4 * 10 * (128 + 1)


def test_attention_s_products_are_in_the_workload_and_have_nothing_to_exchange(elsewhere: Path) -> None:
    assert main(["compare", "--model", "vit-tiny", "--input-shape", "32x32x3", "--batch", "1", "--out", "vit"]) == 0
    lines = (elsewhere / "vit" / "astra-sim" / "sequential.txt").read_text().splitlines()[2:]
    attention = [line.split("\t") for line in lines if line.split("\t")[0].endswith(".attention")]
    assert len(attention) == 12
    for row in attention:
        assert row[9:11] == ["NONE", "0"]
        assert all(int(row[column]) > 0 for column in (2, 5, 8))


MACHINE = """
[machine]
rows = 8
cols = 4
technology = "horowitz-45nm"
vector_lanes = 8
[machine.memory]
sram_kib = 32
dram_gb_per_s = 4.0
"""


def test_compare_on_a_machine_of_a_file_tells_energy_too(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE)
    assert main(["compare", "--model", "mlp", "--machine", "machine.toml", "--out", "here"]) == 0
    text = capsys.readouterr().out
    assert "8x4 array" in text
    assert all(word in text for word in ("stalls", "DRAM", "[bytes]", "vector"))


LEVEL = """
[[machine.memory.levels]]
name = "l2"
size_kib = 256
gb_per_s = 64.0
"""


def test_compare_on_a_machine_with_a_level_tells_its_own(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE.replace("sram_kib = 32", "sram_kib = 2") + LEVEL)
    typed = ["compare", "--model", "mlp", "--batch", "32", "--machine", "machine.toml"]
    assert main([*typed, "--out", "here"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("Memories of the step", "l2", "filled", "stalls"))
    assert main([*typed, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for schedule in TRAINING_SCHEDULES:
        assert found["total"]["backward"][schedule]["l2_dy_fills"] > 0
        assert found["total"]["backward"][schedule]["l2_stall_cycles"] >= 0
        assert found["energy_pj"][schedule]["forward"]["l2"] > 0
        assert [memory["name"] for memory in found["memories"][schedule]] == ["register", "sram", "l2", "dram"]


@pytest.mark.parametrize("command", ["compare --model mlp", "profile step.py:step"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('name = "sram"', "machine.memory.levels.0.name in wrong.toml: got 'sram'; choose another name"),
        ("size_kib = 1", "machine.memory.levels in wrong.toml: got 1024 bytes of 'l2' a core around 32768 of 'sram'"),
        ('keeps = ["z"]', "machine.memory.levels.0.keeps in wrong.toml: got 'z'; choose one of x, w, y"),
        ("shared_by = 2", "machine in wrong.toml: memory.levels.l2.shared_by: got 2; give a number that divides"),
        ("twice", "machine.memory.levels in wrong.toml: got two 'l2'; give each a name of its own"),
    ],
)
def test_a_level_that_will_not_do_is_one_line(
    command: str, wrong: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = wrong.split(" = ")[0]
    kept = "\n".join(line for line in LEVEL.splitlines() if not line.startswith(f"{key} ="))
    level = LEVEL * 2 if wrong == "twice" else f"{kept}\n{wrong}\n"
    (elsewhere / "wrong.toml").write_text(MACHINE + level)
    (elsewhere / "step.py").write_text("step = max")
    assert main([*command.split(), "--machine", "wrong.toml"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not (elsewhere / "runs").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--machine machine.toml --rows 3", "--rows: got 3 and --machine"),
        ("--machine nowhere.toml", "--machine: got 'nowhere.toml'; there is no such file"),
        ("--machine bad.toml", "machine.memory.dram_gb_per_s in bad.toml: got -4.0; give a number above 0"),
        ("--machine empty.toml", "machine in empty.toml: got none"),
        ("--machine tiny.toml", "sram_bytes: got 1024; layer"),
    ],
)
def test_a_machine_that_will_not_do_is_one_line(
    typed: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE)
    (elsewhere / "bad.toml").write_text(MACHINE.replace("4.0", "-4.0"))
    (elsewhere / "empty.toml").write_text("")
    (elsewhere / "tiny.toml").write_text(MACHINE.replace("= 32", "= 1").replace("= 8", "= 64"))
    assert main(["compare", "--model", "mlp", "--out", "here", *typed.split()]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith(f"error: {said}"), captured
    assert len(captured.splitlines()) == 1
    assert not (elsewhere / "here").exists()


def test_compare_json_needs_no_folder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--input-shape", "16x16x2", "--batch", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["input_shape"] == [16, 16, 2]
    (gemm,) = result["layers"]["conv1"]["gemms_per_step"]
    assert (gemm["batch"], gemm["in_features"], gemm["out_features"]) == (3 * 16 * 16, 5 * 5 * 2, 6)
    assert gemm["needs_dx"] is False
    assert set(result["total"]["backward"]) == set(TRAINING_SCHEDULES)
    for layer in result["layers"].values():
        (ran,) = layer["ran"]["auto"]
        assert layer["backward"]["auto"] == layer["backward"][ran]
    stored = result["stored_activation_words"]
    assert stored["layers"]["conv1"] == 3 * 16 * 16 * 2  # the image, not its patches
    masked = (16 * 16 * 6, 8 * 8 * 16, 120, 84)
    assert stored["relu_masks"] == {"model": sum(-(-3 * elements // 32) for elements in masked)}
    assert list(elsewhere.iterdir()) == []


def test_compare_takes_a_paper_s_network_on_its_own_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "resnet18", "--batch", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["input_shape"] == [224, 224, 3]
    assert result["config"]["classes"] == 1000
    # 1.81 GMAC an image, convolutions and the dense layer
    assert result["total"]["forward"]["macs"] / 2 == pytest.approx(1.81e9, rel=0.01)


def test_compare_knows_the_images_of_each_data_set() -> None:
    from jaxgrad.cli.compare import _SHAPES

    assert (*_SHAPES, "text") == data.NAMES
    assert _SHAPES["digits"] == data.load("digits").input_shape


def test_counts_longer_than_64_bits_are_drawn(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--batch", "1" + "0" * 18, "--out", "huge"]) == 0
    assert (elsewhere / "huge" / "cycles.png").exists()


def test_compare_costs_what_an_estimator_poses(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a dense layer, dW of a tenth of x's columns; what there is to tell of the gradients is told."""

    def compared(*options: str) -> dict[str, Any]:
        assert main(["compare", "--model", "mlp", "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)

    exact, kept = compared(), compared("--estimator", "rad", "--keep", "0.1", "--mode", "same")
    assert exact["config"]["estimator"] == {"name": "exact"}
    assert kept["config"]["estimator"] == {"name": "rad", "keep": 0.1, "mode": "same"}
    for path, layer in exact["layers"].items():
        (gemm,) = layer["gemms_per_step"]
        batch, k, n = (gemm[size] for size in ("batch", "in_features", "out_features"))
        macs = batch * n * (-(-k // 10) + (k if gemm["needs_dx"] else 0))
        assert kept["layers"][path]["backward"]["ws_only"]["macs"] == macs
        assert kept["layers"][path]["forward"] == layer["forward"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--keep", "0.1"], "error: --keep: got 0.1; exact gradients have none"),
        (["--estimator", "rad", "--keep", "2"], "error: --keep: got"),
    ],
)
def test_an_estimator_that_can_t_be_is_one_line(
    options: list[str], says: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *options]) == 2
    assert says in (error := capsys.readouterr().err)
    assert len(error.splitlines()) == 1
    assert not list(elsewhere.iterdir())


def test_a_language_model_is_costed_on_windows_of_its_own(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "transformer-lm", "--batch", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["config"]["input_shape"], found["config"]["classes"]) == ([32], 27)
    macs = {path: phases["forward"]["macs"] for path, phases in found["layers"].items()}
    assert macs["head"] == 2 * 32 * 64 * 27
    assert macs["blocks.1.attention"] == 2 * 2 * 4 * 32 * 32 * 16
    assert main(["compare", "--model", "transformer-lm", "--data", "digits"]) == 2
    said = (
        "error: --data: got 'digits'; transformer-lm reads text, and is costed on windows of its own size: leave it out"
    )
    assert capsys.readouterr().err == said + "\n"
