"""What an experiment on the dynamics of training refuses, by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.dynamics import points, schema
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.dynamics.cases import tree


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t["dynamics"].update(measure_every=4),
            "dynamics.measure_every in .*: got 4; give a divisor",
        ),
        (lambda t: t["dynamics"].update(batches=1), "dynamics.batches in .*: got 1; give at least 2: noise"),
        (
            lambda t: t["dynamics"].update(sampling="own"),
            "dynamics.sampling in .*: got 'own'; choose one of",
        ),
        (
            lambda t: t["dynamics"].update(windows=[[0, 6]]),
            "dynamics.windows in .*: got 1; give at least 2, to",
        ),
        (lambda t: t["dynamics"].update(windows=[[0, 3], [2, 6]]), r"dynamics.windows in .*: got \[2, 6\]; give "),
        (lambda t: t["dynamics"].update(windows=[[0, 3], [3, 7]]), r"dynamics.windows in .*: got \[3, 7\]; .* up to 6"),
        (
            lambda t: t["dynamics"].update(windows=[[0, 1], [3, 6]]),
            r"dynamics.windows in .*: got \[0, 1\]; .* two",
        ),
        (lambda t: t["dynamics"].update(windows=[[0], [3, 6]]), r"dynamics.windows.0 in .*: got \[0\]; give \[first,"),
        (lambda t: t["claim"][0].update(variants=["slow", "fats"]), "claim.0 in .*: got 'fats'; give 'slow' or 'fast'"),
        (lambda t: t["claim"][0].update(variants=["slow"]), r"claim.0.variants in .*: got \['slow'\]; give at least 2"),
        (lambda t: t["claim"][1].pop("by"), "claim.1.by in .*: got none; a claim of kind 'falls' needs one"),
        (lambda t: t["claim"][1].update(at_most=2), "claim.1.at_most in .*: got 2.*; a claim of kind 'falls' has "),
        (lambda t: t["claim"][1].update(kind="goes"), "claim.1.kind in .*: got 'goes'; choose one of stationary"),
        (lambda t: t.update(seeds=[1, 1]), "seeds in .*: got 1 twice; give each once"),
        (lambda t: t["variant"][1].update(name="slow"), "variant.name in .*: got 'slow' twice"),
        (lambda t: t.update(baseline="slow"), "baseline in .*: got 'slow'; there is no such key"),
    ],
)
def test_bad_input_is_named(change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    content = tree()
    change(content)
    with pytest.raises(InputError, match=said):
        schema.load(write(tmp_path, content))


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"estimator": {"name": "rad"}}, "slow: training.estimator in .*: got one; seeds are trained at once, by XLA"),
        ({"pipeline": {"name": "layerpipe"}}, "slow: training.pipeline in .*: got one; .* leave it out"),
        ({"quantization": {"weights_bits": 2}}, "slow: training.quantization in .*: got one; .* leave it out"),
        (
            {"emulation": {"fidelity": "tile"}},
            "slow: training.emulation in .*: got fidelity 'tile' and precision",
        ),
        (
            {"train": {"mixed_precision": "bf16"}},
            "slow: training.train.mixed_precision in .*: got 'bf16'; seeds begin",
        ),
        (
            {"data": {"augment": ["flip"]}},
            r"slow: training.data.augment in .*: got \['flip'\]; gradients are of",
        ),
        ({"diagnostics": {"every": 2}}, "slow: training.diagnostics in .*: got one; .* leave it out"),
        ({"train": {"epochs": 3}}, "slow: training.train.epochs in .*: got 3; dynamics.steps says how long"),
        ({"train": {"seed": 3}}, "training.train.seed in .*: got 3; leave it out: seeds says which"),
        ({"model": {"name": "mlp", "width": 3}}, "slow: training.model.width in .*: got 3; mlp has none"),
    ],
)
def test_configurations_that_will_not_do_are_named(training: dict[str, Any], said: str, tmp_path: Path) -> None:
    content = tree()
    content["training"].update(training)
    file = write(tmp_path, content)
    with pytest.raises(InputError, match=said):
        points.expand(schema.load(file), file)


@pytest.mark.parametrize(
    ("name", "variants", "claims"), [("invariant_measure", 6, 8), ("invariant_measure_text", 4, 5)]
)
def test_the_experiments_there_are(name: str, variants: int, claims: int) -> None:
    file = ROOT / "experiments" / f"{name}.toml"
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    assert (len(expanded), len(experiment.claim)) == (variants, claims)
    assert len({str(point.spec) for point in expanded}) == variants
    if name == "invariant_measure":  # as elsewhere: tanh, 64-12-10, rate .2, batch 16, 30,000 steps, a fifth random
        config = expanded[0].config
        assert (config.model.hidden, config.model.activation, config.data.label_noise) == ([12], "tanh", 0.2)
        assert (config.optimizer.learning_rate, config.data.batch_size, experiment.dynamics.steps) == (0.2, 16, 30_000)
        assert (expanded[-1].dataset.train_labels != expanded[0].dataset.train_labels).mean() > 0.15
