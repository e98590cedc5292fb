"""``jaxgrad train --diagnostics`` and ``jaxgrad diagnose``: what they print and leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad.cli import main

SMALL = ["--model", "mlp", "--hidden", "8", "--batch-size", "300", "--optimizer", "sgd", "--decay", "constant"]
MEASURED = ["--diagnostics", "2", "--diagnostics-sample", "600"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve steps, measured at each second one, with a checkpoint at each fourth."""
    run = tmp_path_factory.mktemp("diagnosed") / "run"
    kept = ["--epochs", "3", "--checkpoint-every", "4", "--keep-checkpoints", "all"]
    assert main(["train", *SMALL, *MEASURED, *kept, "--out", str(run)]) == 0
    return run


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "diagnostics.jsonl").read_text().splitlines()]


def test_a_run_that_measures_itself_leaves_lines_words_and_a_figure(trained: Path) -> None:
    measured = lines(trained)
    assert [line["step"] for line in measured] == [0, 2, 4, 6, 8, 10, 12]
    assert [line["sharpness"] is None for line in measured] == [False, *6 * [True]]
    assert [line["update_size"] is None for line in measured] == [False, True, False, True, False, True, True]
    log = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert measured[-1]["cycles"] == log[-1]["cycles"]
    text = (trained / "diagnostics.txt").read_text()
    assert text.startswith("Too little to tell: 7 measurements up to step 12, and a verdict needs 16.")
    assert "on 2 batches of 300 of the 1,437 training images" in text
    assert (trained / "diagnostics.png").is_file()
    assert {int(path.name) for path in (trained / "checkpoints").iterdir()} == {4, 8, 12}
    config = (trained / "config.toml").read_text()
    assert 'keep_checkpoints = "all"' in config
    assert "[diagnostics]\nevery = 2\nsample = 600" in config


def test_diagnose_measures_a_run_at_its_checkpoints_as_it_did_itself(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert main(["diagnose", str(trained)]) == 0
    said = capsys.readouterr().out
    found = {line["step"]: line for line in lines(trained / "diagnosed")}
    assert list(found) == [4, 8, 12]
    for line in lines(trained):
        if line["step"] in found:  # the same sample, the same step once more
            for name, value in line.items():
                # What compares with the measurement before, which is another one there.
                if name not in ("distance_from_last", "gradient_change", "means", "sharpness", "gradient_curvature"):
                    assert found[line["step"]][name] == value, name
    assert all(line["sharpness"] > 0 for line in found.values())
    assert "Too little to tell: 3 measurements" in said
    assert "diagnostics.jsonl, diagnostics.pdf, diagnostics.png, diagnostics.svg, diagnostics.txt" in said
    assert {path: path.read_bytes() for path in before} == before
    assert not (trained / "diagnosed" / "diagnostics").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diagnose", "nothing"], "error: RUN: got 'nothing'; give the folder of a run (config.toml would be in it)"),
        (
            ["train", *SMALL, "--diagnostics-sample", "9", "--out", "run"],
            "error: --diagnostics-sample: got 9; set diagnostics.every too, or leave it out",
        ),
        (
            ["train", *SMALL, "--diagnostics", "9", "--batch-size", "800", "--out", "run"],
            "error: --batch-size: got 800; noise is of two batches at least",
        ),
        (
            ["train", "--keep-checkpoints", "some"],
            "error: --keep-checkpoints: got 'some'; give a whole number of at least 1, or all",
        ),
        (["train", "--diagnostics", "0"], "error: --diagnostics: got 0; give a whole number of at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    arguments: list[str], message: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert not (elsewhere / "run").exists()
