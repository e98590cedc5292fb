"""jaxgrad.studies.learning.configurations: what lies on top of what, and which table of the file an error is in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.learning import schema
from jaxgrad.studies.learning.configurations import Cell, configurations
from jaxgrad.training.config import Config
from tests.studies.cases import write
from tests.studies.learning.cases import tuned, with_settings


def made(folder: Path, content: dict[str, Any], data: Path | None = None) -> dict[Cell, Config]:
    file = write(folder, content)
    return configurations(schema.load(file), file, data)


def test_a_variant_lies_on_its_setting_and_that_on_the_files_training(tmp_path: Path) -> None:
    cells = made(tmp_path, with_settings())
    assert list(cells) == [
        ("plain", "slow", None),
        ("plain", "fast", None),
        ("late", "slow", None),
        ("wild", "slow", None),
    ]
    rates = [config.optimizer.learning_rate for config in cells.values()]
    assert rates == [0.03, 0.1, 0.03, 1e38]
    assert all((config.optimizer.name, config.model.hidden) == ("sgd", [4]) for config in cells.values())
    assert cells[Cell("late", "slow")].pipeline.processors == 2
    assert cells[Cell("plain", "slow")].pipeline.name is None


def test_a_tuned_key_takes_each_value(tmp_path: Path) -> None:
    cells = made(tmp_path, tuned())
    assert [(*cell, config.optimizer.learning_rate) for cell, config in cells.items()] == [
        (name, "", rate, rate) for name in ("plain", "wide") for rate in (0.03, 0.1)
    ]
    assert Cell("wide", "", 0.1).label == "wide, 0.1"


def test_a_folder_of_data_is_relative_to_the_file_unless_it_is_given(tmp_path: Path) -> None:
    content = with_settings()
    content["variant"][0]["training"] = {"data": {"name": "cifar10", "folder": "images"}}
    content["variant"][2]["training"]["data"] = {"name": "images.npz"}
    plain, late, wild = (Cell(name, "slow") for name in ("plain", "late", "wild"))
    cells = made(tmp_path, content)
    assert cells[plain].data.folder == str(tmp_path / "images")
    assert cells[late].data.folder is None
    assert [cells[cell].data.name for cell in (plain, wild)] == ["cifar10", str(tmp_path / "images.npz")]
    cells = made(tmp_path, content, Path("elsewhere"))
    assert [cells[cell].data.folder for cell in (plain, late, wild)] == ["elsewhere", None, None]
    (tmp_path / "pictures").mkdir()
    content["variant"][2]["training"]["data"] = {"name": "pictures"}
    assert made(tmp_path, content)[wild].data.name == str(tmp_path / "pictures")
    for name in ("", "picturs"):
        content["variant"][2]["training"]["data"] = {"name": name}
        with pytest.raises(InputError, match=rf"training\.data\.name in .*: got '{name}'; "):
            made(tmp_path, content)
    with pytest.raises(InputError, match=r"--folder: got 'elsewhere'; no variant trains on data from a folder"):
        made(tmp_path, with_settings(), Path("elsewhere"))


REFUSED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda t: t["training"]["model"].update(name="mlpp"),
        "plain, slow: training.model.name in FILE: got 'mlpp'; choose one of mlp, lenet, resnet20",
    ),
    (
        lambda t: t["setting"][1]["training"]["optimizer"].update(learning_rate=0),
        "plain, fast: setting.1.training.optimizer.learning_rate in FILE: got 0; give a number above 0",
    ),
    (
        lambda t: t["variant"][1]["training"]["pipeline"].update(processor=3),
        "late, slow: variant.1.training.pipeline.processor in FILE: got 3; there is no such key; choose one of name",
    ),
    (
        lambda t: t["training"].setdefault("train", {}).update(patience=3),
        "plain, slow: training.train.patience in FILE: got 3; leave it out: runs that are compared train for as many",
    ),
    (
        lambda t: t["variant"][1]["training"].update(pipelines={"name": "gpipe"}),
        "late, slow: variant.1.training.pipelines in FILE: got {'name': 'gpipe'}; there is no such key; choose one of",
    ),
    (
        lambda t: t["variant"][1]["training"].update(pipeline=3),
        "late, slow: variant.1.training.pipeline in FILE: got 3; give a table, [pipeline]",
    ),
    (  # the last table that sets the key, whatever it does not go with
        lambda t: (t["training"]["optimizer"].update(name="momentum", momentum=0.5),
                   t["variant"][2]["training"]["optimizer"].update(name="sgd")),
        "wild, slow: training.optimizer.momentum in FILE: got 0.5; sgd has none",
    ),
    (
        lambda t: t["training"]["train"].update(seed=3),
        "training.train.seed in FILE: got 3; leave it out: seeds says which",
    ),
    (
        lambda t: t.update(tune={"optimizer.learning_rate": [0.1, 0.2]}),
        "variant.2.training.optimizer.learning_rate in FILE: got 1e+38; [tune] gives optimizer.learning_rate",
    ),
    (
        lambda t: t.update(tune={"train.epochs": [1, 0]}),
        "plain, slow, 0: tune.train.epochs in FILE: got 0; give a whole number of at least 1",
    ),
    (
        lambda t: t.update(tune={"epochs": [1, 2]}),
        "plain, slow, 1: tune.epochs in FILE: got 1; there is no such key; choose one of array",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_will_not_do_is_refused_with_its_table(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path
) -> None:
    content = with_settings()
    change(content)
    with pytest.raises(InputError) as refusal:
        made(tmp_path, content)
    assert str(refusal.value).replace(str(tmp_path / "small.toml"), "FILE").startswith(said)
    assert len(str(refusal.value).splitlines()) == 1
