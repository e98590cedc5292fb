"""``jaxgrad train`` in one piece: what it prints and leaves behind; killed runs are in tests/training."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxgrad.cli import main
from jaxgrad.pipelines.pipeline import LEARNABLE
from jaxgrad.training import optimizers
from tests.command import COMMAND, ENVIRONMENT

QUICK = ["--model", "mlp", "--epochs", "1", "--batch-size", "256"]


def test_train_leaves_a_whole_run_directory(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "--rows", "8"]) == 0
    text = capsys.readouterr().out
    run = elsewhere / "runs" / "mlp-digits-interleaved-1"
    assert str(run.relative_to(elsewhere)) in text
    assert {path.name for path in run.iterdir()} == {
        "config.toml", "metrics.jsonl", "counters.json", "checkpoints",
        *(f"tables.{form}" for form in ("txt", "csv", "md", "tex")),
        *(f"{name}.{form}" for name in ("training", "cycles", "accesses") for form in ("png", "svg", "pdf")),
    }  # fmt: skip
    assert "rows = 8" in (run / "config.toml").read_text()
    record = json.loads((run / "metrics.jsonl").read_text())
    counters = json.loads((run / "counters.json").read_text())
    own = counters["total"]["backward"]["interleaved"]
    assert record["cycles"] == own["cycles"] + counters["total"]["forward"]["cycles"]
    assert counters["steps"] == record["step"] == 1437 // 256
    assert own["effectual_macs"] == counters["total"]["backward"]["ws_only"]["effectual_macs"] < own["macs"]
    assert all(schedule in text for schedule in ("interleaved", "sequential", "ws_only", "os_only"))
    assert f"Test accuracy {record['test_accuracy']:.1%}" in text
    stored = {"hidden.0": 256 * 64, "hidden.1": 256 * 256, "head": 256 * 128}  # of one step
    assert counters["stored_activation_words"] == {
        "total": sum(stored.values()) + 256 * (256 + 128) // 32,
        "peak": stored["hidden.1"],
        "layers": stored,
        "relu_masks": {"model": 256 * (256 + 128) // 32},
    }
    assert "Stored activations of a step" in text


def test_train_under_a_pipeline_tells_and_keeps_its_delays(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = ["--pipeline", "layerpipe", "--processors", "4", "--weights", "ema"]
    assert main(["train", *QUICK, *pipeline, "--out", "run"]) == 0
    kept = json.loads((elsewhere / "run" / "counters.json").read_text())["pipeline"]
    delays = kept.pop("delays")
    weights = {"hidden.0": 64 * 256 + 256, "hidden.1": 256 * 128 + 128, "head": 128 * 10 + 10}
    assert list(delays) == list(weights)
    assert kept == {
        "name": "layerpipe", "processors": 4, "weights": "ema", "beta": "n/(n+1)", "time": "cycles",
        "weight_words": 2 * sum(weights.values()),
    }  # fmt: skip
    late = ", ".join(f"{delay} ({layer})" for layer, delay in delays.items())
    assert f"Pipeline layerpipe on 4 arrays, ema: weights are {late} updates old; " in capsys.readouterr().out
    assert json.loads((elsewhere / "run" / "metrics.jsonl").read_text())["rebuilding_error"] > 0
    assert main(["train", *QUICK, *pipeline, "--processors", "3", "--resume", "run"]) == 2
    assert "the run in run began with pipeline.processors = 4" in capsys.readouterr().err


def test_options_of_the_model_are_kept_and_shape_it(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "--hidden", "6,5", "--batch-norm", "--out", "run"]) == 0
    assert list(json.loads((elsewhere / "run" / "counters.json").read_text())["layers"]) == [
        "hidden.0.dense", "hidden.1.dense", "head",
    ]  # fmt: skip
    assert main(["train", *QUICK, "--resume", "run", "--hidden", "6,5", "--batch-norm"]) == 0
    assert main(["train", *QUICK, "--resume", "run", "--hidden", "6,4"]) == 2
    assert "--hidden: got [6, 4]; the run in run began with model.hidden = [6, 5]" in capsys.readouterr().err
    assert main(["train", "--hidden", "6", "--out", "lenet"]) == 2
    assert capsys.readouterr().err == (
        "error: --hidden: got [6]; lenet has none: leave it out or choose model.name = 'mlp'\n"
    )


def test_train_in_a_few_bits_from_a_float_run(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "--out", "floats"]) == 0
    bits = ["--weights-bits", "2", "--activations-bits", "2"]
    assert main(["train", *QUICK, *bits, "--init", "floats", "--out", "few"]) == 0
    counters = json.loads((elsewhere / "few" / "counters.json").read_text())
    assert counters["quantization"] == {
        "weights_bits": 2, "activations_bits": 2, "blend": 1e-3, "by_input": "clipped_relu",
        "by_resolution": "three_valued", "layers": "*",
    }  # fmt: skip
    assert "quantization" not in json.loads((elsewhere / "floats" / "counters.json").read_text())
    capsys.readouterr()
    assert main(["train", "--init", "floats", "--out", "other"]) == 2
    said = "error: --init: got 'floats', which for conv1.bias of shape (6,) has none; give the folder of a run of the "
    assert capsys.readouterr().err == said + "same model\n"
    assert not (elsewhere / "other").exists()


REFUSED_PIPELINES = {
    ("--pipeline", "layerpipe", "--processors", "99"): "--processors: got 99; give at most 10: the network has so many "
    "passes and halves of them to distribute",
    ("--pipeline", "pipe"): f"--pipeline: got 'pipe'; choose one of {', '.join(LEARNABLE)} (did you mean 'gpipe'?)",
    ("--processors", "4"): "--processors: got 4; there is no pipeline: set pipeline.name too, or leave it out",
}


@pytest.mark.parametrize(("options", "said"), REFUSED_PIPELINES.items())
def test_a_pipeline_that_will_not_do_is_refused(
    options: tuple[str, ...], said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *QUICK, *options, "--out", "run"]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not (elsewhere / "run").exists()


def test_train_by_an_estimator_tells_it(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimator = ["--estimator", "rad", "--keep", "0.2"]
    assert main(["train", *QUICK, *estimator, "--out", "run"]) == 0
    counters = json.loads((elsewhere / "run" / "counters.json").read_text())
    assert counters["estimator"] == {"name": "rad", "keep": 0.2, "mode": "same"}
    kept = {"hidden.0": 256 * 13, "hidden.1": 256 * 52, "head": 256 * 26}
    assert counters["stored_activation_words"]["layers"] == kept
    capsys.readouterr()
    refused = ["--estimator", "rad", "--optimizer", "sgd", "--weight-update", "in_array", "--out", "other"]
    assert main(["train", *QUICK, *refused]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --weight-update: got 'in_array', and Rad(keep=0.1, mode='same')")
    assert said.count("\n") == 1
    assert not (elsewhere / "other").exists()


def test_train_numbers_its_runs(elsewhere: Path) -> None:
    for _ in range(2):
        assert main(["train", *QUICK]) == 0
    assert {path.name for path in (elsewhere / "runs").iterdir()} == {
        "mlp-digits-interleaved-1",
        "mlp-digits-interleaved-2",
    }


def test_a_run_is_repeated_by_its_own_configuration(elsewhere: Path) -> None:
    assert main(["train", *QUICK, "--seed", "5", "--double-buffered", "--out", "one"]) == 0
    assert main(["train", "--config", "one/config.toml", "--out", "two"]) == 0
    for name in ("config.toml", "metrics.jsonl", "counters.json", "tables.txt"):
        assert (elsewhere / "one" / name).read_bytes() == (elsewhere / "two" / name).read_bytes()


def test_resume_of_a_finished_run_draws_it_again(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *QUICK, "--out", "run"]) == 0
    before = (elsewhere / "run" / "counters.json").read_bytes()
    (elsewhere / "run" / "counters.json").unlink()
    assert main(["train", *QUICK, "--resume", "run"]) == 0
    assert main(["train", "--out", "run", "--resume"]) == 0
    assert (elsewhere / "run" / "counters.json").read_bytes() == before
    capsys.readouterr()
    assert main(["train", "--resume", "run", "--seed", "3"]) == 2
    assert capsys.readouterr().err == (
        "error: --seed: got 3; the run in run began with train.seed = 0: leave it so, or start a new run with --out\n"
    )


def test_how_a_run_learns_is_kept_and_goes_on(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learning = [
        "--optimizer", "momentum", "--weight-decay", "1e-3", "--weight-decay-mask", "kernels", "--clip-norm", "1",
        "--decay", "step", "--decay-at", "40%,4", "--warmup", "1", "--label-smoothing", "0.1",
    ]  # fmt: skip
    assert main(["train", *QUICK, *learning, "--out", "run"]) == 0
    config = (elsewhere / "run" / "config.toml").read_text()
    for line in (
        'weight_decay_mask = "kernels"', "clip_norm = 1.0", 'decay_at = "40%, 4"', "decay_factor = 0.1",
        'warmup = "1"', "label_smoothing = 0.1",
    ):  # fmt: skip
        assert line in config
    record = json.loads((elsewhere / "run" / "metrics.jsonl").read_text())
    assert np.isfinite(record["train_loss"])
    assert main(["train", *QUICK, *learning, "--resume", "run"]) == 0
    assert main(["train", "--resume", "run", "--label-smoothing", "0.2"]) == 2
    assert "began with train.label_smoothing = 0.1" in capsys.readouterr().err


def test_train_in_mixed_precision_tells_the_scale_of_the_loss(elsewhere: Path) -> None:
    assert main(["train", *QUICK, "--mixed-precision", "fp16", "--batch-norm", "--hidden", "8", "--out", "run"]) == 0
    record = json.loads((elsewhere / "run" / "metrics.jsonl").read_text())
    assert 1 <= record["loss_scale"] <= 2.0**16
    assert np.isfinite(record["test_loss"])
    assert 'mixed_precision = "fp16"' in (elsewhere / "run" / "config.toml").read_text()


def test_a_run_out_of_patience_says_so_and_is_whole(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At no rate to speak of, what is tested stays as it is, and as good is not better."""
    still = ["--optimizer", "sgd", "--learning-rate", "1e-30", "--epochs", "9", "--patience", "2"]
    assert main(["train", *QUICK, *still, "--out", "run"]) == 0
    said = "after 3 epochs. Stopped early, of 9 epochs: no better test loss for 2 epochs; the best, "
    assert said in capsys.readouterr().out
    assert json.loads((elsewhere / "run" / "counters.json").read_text())["steps"] == 3 * (1437 // 256)
    assert main(["train", "--resume", "run"]) == 0
    assert said in capsys.readouterr().out
    assert len((elsewhere / "run" / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--warmup", "1epoch"), "--warmup: got '1 epoch'; the run has 5 steps: give fewer, or train longer"),
        (
            ("--decay", "step", "--decay-at", "3,1000"),
            (
                "--decay-at: got '1000', which is step 1,000; give times after the first step and before the end, "
                "of 0 and 5 steps"
            ),
        ),
        (
            ("--optimizer", "adamw", "--weight-decay-mask", "conv*"),
            (
                "--weight-decay-mask: got 'conv*'; 'conv*' is the path of no parameter; there are head.bias, "
                "head.kernel, hidden.0.bias, hidden.0.kernel, hidden.1.bias and hidden.1.kernel"
            ),
        ),
    ],
)
def test_what_does_not_fit_the_run_or_the_model_is_refused(
    options: tuple[str, ...], said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *QUICK, *options, "--out", "run"]) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not (elsewhere / "run").exists()


def test_every_optimizer_trains(elsewhere: Path) -> None:
    for name in optimizers.NAMES:
        assert main(["train", *QUICK, "--optimizer", name, "--out", name]) == 0
        losses = json.loads((elsewhere / name / "metrics.jsonl").read_text())
        assert np.isfinite(losses["train_loss"])


DIVERGING = [*QUICK, "--optimizer", "sgd", "--learning-rate", "1e30", "--checkpoint-every", "1", "--out", "run"]


def test_a_run_that_diverges_stops_and_keeps_what_it_has(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *DIVERGING]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"error: the loss is (nan|inf) in epoch 1 of 1, at step 2; what was done is kept: lower --learning-rate, or go "
        r"on with: jaxgrad train --resume run --on-nan continue\n",
        said,
    )
    run = elsewhere / "run"
    assert json.loads((run / "counters.json").read_text())["steps"] == 2
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["1"]  # the last with a loss that is a number
    assert (run / "tables.txt").exists()
    assert not (run / "metrics.jsonl").exists()  # no epoch is whole
    assert main(["train", "--resume", "run"]) == 1
    assert capsys.readouterr().err == said
    with pytest.warns(UserWarning, match=r"the loss is (nan|inf) in epoch 1 of 1, at step 2; training goes on"):
        assert main(["train", "--resume", "run", "--on-nan", "continue"]) == 0
    assert json.loads((run / "metrics.jsonl").read_text())["test_loss"] is None
    assert json.loads((run / "counters.json").read_text())["steps"] == 1437 // 256


def test_a_diverged_run_that_is_to_go_on_is_data_and_no_error(elsewhere: Path) -> None:
    with pytest.warns(UserWarning, match="training goes on"):
        assert main(["train", *DIVERGING, "--on-nan", "continue"]) == 0
    assert json.loads((elsewhere / "run" / "metrics.jsonl").read_text())["test_loss"] is None


def test_interruption_says_how_to_go_on(elsewhere: Path) -> None:
    # A test run in the background has its children ignore the signal.
    listening = COMMAND[2].replace("import sys;", "import signal, sys; signal.signal(2, signal.default_int_handler);")
    child = subprocess.Popen(
        [sys.executable, "-c", listening, "train", "--model", "mlp", "--epochs", "10000", "--out", "run"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (elsewhere / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (130, "interrupted; go on with: jaxgrad train --resume run\n")


def test_data_of_ones_own_train_too(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    np.savez("own.npz", x_train=images, y_train=np.arange(40) % 10)
    assert main(["train", "--model", "mlp", "--data", "own.npz", "--batch-size", "16", "--epochs", "1"]) == 0
    assert "mlp on own, 16x16 array" in capsys.readouterr().out
    assert (elsewhere / "runs" / "mlp-own-interleaved-1" / "counters.json").is_file()


MACHINE = """
[machine]
rows = 8
cols = 8
technology = "horowitz-45nm"
vector_lanes = 4
[machine.memory]
sram_kib = 64
dram_gb_per_s = 1.0
"""


def test_train_on_a_machine_of_a_file_costs_its_steps_there(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = elsewhere / "machine.toml"
    file.write_text(MACHINE)
    assert main(["train", *QUICK, "--machine", "machine.toml", "--out", "run"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("8x8 array", "stalls", "DRAM", "vector", "All phases of 5 training steps"))
    assert "All phases of 5 training steps" in (elsewhere / "run" / "tables.txt").read_text()
    counters = json.loads((elsewhere / "run" / "counters.json").read_text())
    assert counters["machine"]["memory"]["sram_kib"] == 64
    on_machine = counters["on_machine"]
    assert on_machine["steps"] == counters["steps"] == 5
    step = on_machine["step"]["interleaved"]
    assert step["stall_cycles"] > 0
    assert step["energy_pj"]["vector"] > 0
    assert 0 < step["energy_pj"]["dram"] < step["dram_bytes"] * 8 * 20.0  # without what the vector unit moves
    through, alone = (counts["total"]["backward"]["ws_only"] for counts in (on_machine, counters))
    assert through["effectual_macs"] == alone["effectual_macs"] < through["macs"]
    # The record has the machine whole: the file may go, and another one is refused.
    file.unlink()
    (elsewhere / "other.toml").write_text(MACHINE.replace("= 1.0", "= 2.0"))
    assert main(["train", "--resume", "run", "--machine", "other.toml"]) == 2
    said = "error: --machine: got 2.0; the run in run began with machine.memory.dram_gb_per_s = 1.0: leave it so, or "
    assert capsys.readouterr().err == f"{said}start a new run with --out\n"
    assert main(["train", "--resume", "run", "--rows", "8"]) == 2
    assert capsys.readouterr().err.startswith("error: --rows: got 8 and a machine; ")
    assert main(["train", "--resume", "run"]) == 0
    assert json.loads((elsewhere / "run" / "counters.json").read_text()) == counters


def test_a_machine_that_will_not_do_for_training_leaves_nothing(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "machine.toml").write_text(MACHINE.replace("rows = 8", "rows = 128").replace("= 64", "= 1"))
    assert main(["train", *QUICK, "--machine", "machine.toml", "--out", "run"]) == 2
    assert capsys.readouterr().err.startswith("error: sram_bytes: got 1024; layer 'hidden.0'")
    assert main(["train", *QUICK, "--machine", "machine.toml", "--rows", "8", "--out", "run"]) == 2
    assert capsys.readouterr().err == (
        "error: --rows: got 8 and --machine; the file has it: leave one of the two out\n"
    )
    assert not (elsewhere / "run").exists()


def test_train_on_a_text_of_ones_own(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "book.txt").write_text("abracadabra " * 100)
    small = ["--set", "model.width=8", "--set", "model.depth=1", "--set", "model.heads=2", "--window", "6"]
    typed = ["train", "--model", "transformer-lm", "--data", "book.txt", *small, "--label-noise", "0.1"]
    assert main([*typed, "--epochs", "1", "--out", "run"]) == 0
    shown = capsys.readouterr().out
    assert "Training transformer-lm on book, 16x16 array" in shown
    assert "the best prediction there is" not in shown  # nobody knows it
    written = (elsewhere / "run" / "config.toml").read_text()
    assert "window = 6" in written
    assert "label_noise = 0.1" in written
    assert main([*typed, "--window", "2000", "--out", "other"]) == 2
    assert capsys.readouterr().err.startswith("error: --window: got 2000, for a part of ")
    assert not (elsewhere / "other").exists()
