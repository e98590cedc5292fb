"""jaxgrad.studies.learning.schema: a file that will not do is refused by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.learning import configurations, schema
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.learning.cases import with_settings


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    experiment = schema.load(write(tmp_path, {"title": "t", "baseline": "a", "variant": [{"name": "a"}]}))
    assert (experiment.seeds, experiment.at_steps, experiment.tuned) == ([0], [], None)
    assert [setting.name for setting in experiment.setting] == [""]
    assert schema.load(write(tmp_path, with_settings())).settings_of(experiment.variant[0]) == ["slow", "fast"]


@pytest.mark.parametrize("name", ["layerpipe2", "layerpipe2_cifar10"])
def test_the_experiments_there_are_can_be_run(name: str) -> None:
    file = ROOT / "experiments" / f"{name}.toml"
    experiment = schema.load(file)
    assert configurations.configurations(experiment, file)
    assert all(each.source for each in experiment.published)


REFUSED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda t: t.update(baseline="plane"), "baseline in .*: got 'plane'; give one of 'plain', 'late' or 'wild'"),
    (lambda t: t["variant"].append({"name": "late"}), "variant.name in .*: got 'late' twice; give each once"),
    (
        lambda t: t["variant"][1].update(settings=["sloww"]),
        "variant.settings in .*: got 'sloww'; give one of 'slow' or",
    ),
    (lambda t: t["variant"][1].update(schedule="ws"), "variant.1.schedule in .*: got 'ws'; there is no such key"),
    (lambda t: t.update(seeds=[]), "seeds in .*: got .*; give at least one"),
    (lambda t: t.update(seeds=[1, 1]), "seeds in .*: got 1 twice; give each once"),
    (lambda t: t.update(seeds=[-1]), "seeds.0 in .*: got -1; give a whole number from 0"),
    (lambda t: t.update(at_steps=[0]), "at_steps.0 in .*: got 0; give a whole number of at least 1"),
    (lambda t: t.update(training=3), r"training in .*: got 3; give a table, \[training\]"),
    (lambda t: t.update(tune={"train.epochs": [1]}), "tune.train.epochs in .*: got .*; give two values or more"),
    (lambda t: t.update(tune={"train.epochs": [1, 1]}), "tune.train.epochs in .*: got 1 twice; give each once"),
    (lambda t: t.update(tune={"a.b": [1, 2], "a.c": [1, 2]}), "tune in .*: got 2 keys; give one key and its grid"),
    (lambda t: t["published"][0].update(variant="x"), "published.variant in .*: got 'x'; give one of"),
    (lambda t: t["published"][0].update(setting="fast"), "published.setting in .*: got 'fast'; give one of 'slow'"),
    (lambda t: t["published"][0].pop("setting"), "published.setting in .*: got ''; give one of 'slow'"),
    (lambda t: t["published"][1].update(step=4), "published.step in .*: got 4; give one that is in at_steps"),
    (lambda t: t["published"][0].update(quantity="loss"), "choose one of train_loss, test_accuracy"),
    (lambda t: t["published"][0].pop("value"), "published.0.value in .*: got none; give a value, or diverges = true"),
    (lambda t: t["published"][2].update(value=1.0), "published.2.value in .*: got 1 with diverges = true"),
    (lambda t: t["published"][0].update(value=float("nan")), "published.0.value in .*: got nan; give a number of at"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_will_not_do_is_refused(change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path) -> None:
    content = with_settings()
    change(content)
    with pytest.raises(InputError, match=said) as refusal:
        schema.load(write(tmp_path, content))
    assert len(str(refusal.value).splitlines()) == 1


def test_the_baseline_is_in_every_setting(tmp_path: Path) -> None:
    content = with_settings()
    content["variant"][0]["settings"] = ["slow"]
    content["variant"][1]["settings"] = ["slow", "fast"]
    with pytest.raises(
        InputError, match=r"baseline in .*: got 'plain', which is not in setting 'fast', where 'late' is"
    ):
        schema.load(write(tmp_path, content))
