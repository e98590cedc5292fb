"""``jaxgrad compare``: schedules side by side, from shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.cli import main
from jaxgrad.evaluate import TRAINING_SCHEDULES
from jaxgrad.training import data


def test_compare_prints_a_table_and_draws(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "mlp", "--out", "here"]) == 0
    text = capsys.readouterr().out
    assert all(schedule in text for schedule in TRAINING_SCHEDULES)
    assert {path.name for path in (elsewhere / "here").iterdir()} == {"cycles.png", "accesses.png", "tables.txt"}


def test_compare_json_needs_no_folder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--input-shape", "16x16x2", "--batch", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["input_shape"] == [16, 16, 2]
    (gemm,) = result["layers"]["conv1"]["gemms_per_step"]
    assert (gemm["batch"], gemm["in_features"], gemm["out_features"]) == (3 * 16 * 16, 5 * 5 * 2, 6)
    assert gemm["needs_dx"] is False
    assert set(result["total"]["backward"]) == set(TRAINING_SCHEDULES)
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

    assert tuple(_SHAPES) == data.NAMES
    assert _SHAPES["digits"] == data.load("digits").input_shape
