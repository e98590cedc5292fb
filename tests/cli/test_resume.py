"""``jaxgrad train --resume``: a run that begins by it, one that is extended, and one that something happened to."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from jaxgrad.cli import main
from tests.command import COMMAND, ENVIRONMENT

SMALL = ["--model", "mlp", "--batch-size", "300", "--rows", "6", "--seed", "2", "--epochs", "3"]  # 4 steps an epoch
RESUME = ["train", "--resume", "run"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    assert main(["train", *SMALL, "--checkpoint-every", "5", "--out", str(run)]) == 0  # of steps 5, 10 and 12
    return run


@pytest.fixture
def run(finished: Path, elsewhere: Path) -> Path:
    return shutil.copytree(finished, elsewhere / "run")


def content(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def refused(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said; nothing in the run has changed."""
    before = content(run)
    assert main(RESUME) == 2
    out, said = capsys.readouterr()
    assert "epoch" not in out
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert content(run) == before
    return said


def test_an_edited_configuration_is_compared_with_what_the_checkpoint_was_made_by(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = run / "config.toml"
    edited = file.read_text()
    for old, new in (
        ("rows = 6", "rows = 5"),
        ("seed = 2", "seed = 9"),
        ("learning_rate = 0.003", "learning_rate = 1.0"),
    ):
        assert old in edited
        edited = edited.replace(old, new)
    file.write_text(edited)
    assert refused(run, capsys) == (
        "error: array.rows, optimizer.learning_rate and train.seed: got 5, 1.0 and 9; the checkpoint of step 12 was "
        "made by array.rows = 6, optimizer.learning_rate = 0.003, train.seed = 2: go on with that, or start a new run\n"
    )


def test_a_broken_log_is_found_before_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = run / "metrics.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'{"epoch": 2,', b'{"epoch" 2, ,'))
    assert "metrics.jsonl: got other lines than the run wrote" in refused(run, capsys)
    log.write_bytes(whole[:-40])
    assert f"got {len(whole) - 40} bytes; the checkpoint was taken at {len(whole)}" in refused(run, capsys)


def test_checkpoints_that_are_a_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").write_text("")
    assert "run/checkpoints: got what is not a folder" in refused(run, capsys)


def test_a_damaged_checkpoint_is_passed_over_and_the_run_ends_the_same(
    run: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    largest = max((run / "checkpoints" / "12").rglob("*"), key=lambda path: path.stat().st_size)
    damaged = bytearray(largest.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    largest.write_bytes(damaged)
    with pytest.warns(UserWarning, match="checkpoint 12 can't be read, or is damaged: it is dropped"):
        assert main(RESUME) == 0
    assert "from step 10 on" in capsys.readouterr().out
    for name in ("metrics.jsonl", "counters.json", "tables.txt"):
        assert (run / name).read_bytes() == (finished / name).read_bytes()


@pytest.mark.slow
def test_of_two_that_go_on_with_a_run_one_is_told_of_the_other(elsewhere: Path) -> None:
    train = [*COMMAND, "train", *SMALL[:-1], "100000", "--out", "run"]
    with subprocess.Popen(train, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 60
        while not (elsewhere / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = subprocess.run([*COMMAND, *RESUME], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        first.kill()
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        f"error: --resume: got 'run', where process {first.pid} is at work; wait for its end, or stop it\n"
    )


def test_one_command_line_begins_a_run_and_goes_on_with_it(
    finished: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "run").mkdir()
    line = ["train", *SMALL, "--checkpoint-every", "5", "--out", "run", "--log", "csv", "--resume"]
    assert main(line) == 0
    assert "There is no run in run yet: a new one begins" in capsys.readouterr().out
    shutil.rmtree(elsewhere / "run" / "checkpoints" / "12")  # as if it had been killed after step 10
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "from step 10 on" in said
    assert "yet" not in said
    for name in ("config.toml", "metrics.jsonl", "counters.json", "tables.txt"):
        assert (elsewhere / "run" / name).read_bytes() == (finished / name).read_bytes()
    assert not (elsewhere / "run" / "extensions.json").exists()
    assert [line[:2] for line in (elsewhere / "run" / "metrics.csv").read_text().split()] == ["ep", "1,", "2,", "3,"]


ONE_STEP_AN_EPOCH = ["--model", "mlp", "--hidden", "12", "--batch-size", "1437", "--optimizer", "sgd"]


def test_more_epochs_extend_a_finished_run(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By cosine the first step has the whole rate whatever comes later, so the two ways to two epochs are one; and had
    the rate stayed that of one epoch, the second would be without a step."""
    train = ["train", *ONE_STEP_AN_EPOCH]
    assert main([*train, "--epochs", "2", "--out", "whole"]) == 0
    for epochs in ("1", "2"):
        assert main([*train, "--epochs", epochs, "--resume", "run"]) == 0
    assert "Extended from 1 epoch to 2: the learning rate is from here on that of a run of 2" in capsys.readouterr().out
    for name in ("config.toml", "metrics.jsonl", "counters.json", "tables.txt"):
        assert (elsewhere / "run" / name).read_bytes() == (elsewhere / "whole" / name).read_bytes()
    first, second = map(json.loads, (elsewhere / "run" / "metrics.jsonl").read_text().splitlines())
    assert first["test_loss"] != second["test_loss"]
    assert json.loads((elsewhere / "run" / "extensions.json").read_text()) == [{"step": 1, "epochs": 1}]
    capsys.readouterr()
    assert main(["diff", "run", "whole", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"] == {"extended at": ["step 1, from 1 epochs", None]}
    cycles = [sum(told["counters"][group]["cycles"]["values"]) for group in ("forward", "backward")]
    assert sum(cycles) == 2 * second["cycles"]
    assert {curve["differ_from_epoch"] for curve in told["curves"].values()} == {None}


def test_fewer_epochs_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(run)
    assert main([*RESUME, "--epochs", "2"]) == 2
    said = "--epochs: got 2; the run in run has 3 of 3 epochs done: give more than 3 to extend it, or leave it so"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert main([*RESUME, "--epochs", "4", "--rows", "5"]) == 2
    assert "--rows: got 5; the run in run began with array.rows = 6" in capsys.readouterr().err
    assert content(run) == before
