"""jaxgrad.studies.learning.points and outcomes: runs against ``jaxgrad train``'s own loop, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.learning import outcomes, points, schema
from jaxgrad.studies.learning.compare import Results
from jaxgrad.studies.learning.configurations import Cell
from jaxgrad.studies.learning.outcomes import Outcome
from jaxgrad.studies.store import Store
from jaxgrad.training import loop, runs
from jaxgrad.training.checkpoints import Checkpoints
from jaxgrad.training.job import Job, prepare
from tests.studies.cases import write
from tests.studies.learning.cases import tree, with_settings
from tests.training.data.test_sources import write_cifar10

PLAIN, LATE, WILD = (Cell(name, "") for name in ("plain", "late", "wild"))


def expanded(folder: Path, content: dict[str, Any], data: Path | None = None) -> list[points.Point]:
    file = write(folder, content)
    return points.expand(schema.load(file), file, data)


def logged(job: Job, folder: Path) -> tuple[list[dict[str, Any]], int]:
    """The log of ``jaxgrad train``'s loop, and the cycles it counted."""
    run = runs.create(folder, job.config.to_toml())
    with Checkpoints(run.checkpoints, job.config.settings()) as checkpoints:
        *_, last = loop.fit(job.trainer, job.trainer.initial, job.dataset, job.plan, run, checkpoints)
    return run.metrics(), last.state.cycles()


@pytest.mark.parametrize("cell", [PLAIN, LATE])
def test_a_point_is_the_run_that_jaxgrad_train_makes(cell: Cell, kept: Path, results: Results, tmp_path: Path) -> None:
    """From the second seed, of which the point had the step compiled for the first one."""
    (point,) = (each for each in expanded(tmp_path, tree()) if each.cell == cell and each.seed == 1)
    records, cycles = logged(prepare(point.config), tmp_path / "run")
    outcome = results.outcomes[cell][1]
    assert [list(epoch) for epoch in outcome.epochs] == [[each["step"], each["train_loss"]] for each in records]
    assert [measured.step for measured in outcome.measured] == [3, 10]
    last = outcome.at(None)
    assert last is not None
    assert (last.test_loss, last.test_accuracy) == (records[-1]["test_loss"], records[-1]["test_accuracy"])
    assert outcome.counters["cycles"] == cycles
    assert outcome.weight_words == (None if cell == PLAIN else 2 * (64 * 4 + 4) + (4 * 10 + 10))


def test_losses_and_accuracies_are_over_all_images(tmp_path: Path) -> None:
    job = prepare(expanded(tmp_path, tree())[0].config)
    measured = outcomes.measurement(job, job.trainer.initial, 0)
    params = job.trainer.initial.params
    first, head = params["hidden"][0], params["head"]
    for images, labels, loss, accuracy in (
        (job.dataset.train_images, job.dataset.train_labels, measured.train_loss, measured.train_accuracy),
        (job.dataset.test_images, job.dataset.test_labels, measured.test_loss, measured.test_accuracy),
    ):
        rows = images.reshape(len(images), -1)
        logits = (
            np.maximum(rows @ first["kernel"][...] + first["bias"][...], 0) @ head["kernel"][...] + head["bias"][...]
        )
        logits = np.asarray(logits, np.float64)
        shifted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
        assert loss == pytest.approx(shifted.mean(), rel=1e-5)
        assert accuracy == pytest.approx((logits.argmax(axis=1) == labels).mean())


def test_a_run_that_diverges_is_data(results: Results) -> None:
    for outcome in results.outcomes[WILD].values():
        assert outcome.diverged == 2  # the first update makes the weights too large
        assert (outcome.measured, outcome.epochs, outcome.counters) == ((), (), {})
        assert (outcome.at(3), outcome.at(None), outcome.steps) == (None, None, 10)


def test_an_outcome_is_kept_as_it_was(results: Results) -> None:
    outcome = results.outcomes[LATE][0]
    assert Outcome.from_dict(outcome.as_dict()) == outcome


def test_points_that_are_done_are_not_trained_and_names_do_not_decide_them(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: Results
) -> None:
    content = tree()
    content["variant"][1]["name"] = "delayed"
    content["published"] = []

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(points, "prepare", never)
    store = Store(kept / "store")
    renamed = expanded(tmp_path, content)
    (of_late,) = (each for each in renamed if each.cell.variant == "delayed" and each.seed == 1)
    assert list(points.run([of_late], store)) == [results.outcomes[LATE][1]]
    for change in ({"at_steps": [3, 4]}, {"seeds": [2]}):
        assert not any(store.has(points.KIND, each.spec) for each in expanded(tmp_path, {**content, **change}))


def test_seeds_share_a_job_and_other_points_have_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[float] = []
    seeds: list[int] = []
    outcome = Outcome(1, (), (), 1, {}, None)

    class Prepared:
        def __init__(self, config: Any) -> None:
            prepared.append(config.optimizer.learning_rate)
            self.config = config

        def seeded(self, seed: int) -> int:
            return seed

    def trained(seed: int, at_steps: Any) -> Outcome:
        seeds.append(seed)
        return outcome

    monkeypatch.setattr(points, "prepare", Prepared)
    monkeypatch.setattr(points, "train", trained)
    content = with_settings()
    content["published"], content["variant"] = [], content["variant"][:1]
    assert list(points.run(expanded(tmp_path, content), Store(tmp_path / "store"))) == [outcome] * 4
    assert (prepared, seeds) == ([0.03, 0.1], [0, 1, 0, 1])


def test_data_decide_a_point_and_their_place_does_not(tmp_path: Path) -> None:
    content = tree()
    content["training"]["data"] = {"name": "cifar10", "folder": "one", "batch_size": 4}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_cifar10(tmp_path / name)
    first, *_ = expanded(tmp_path, content)
    second, *_ = expanded(tmp_path, content, tmp_path / "two")
    assert (first.config.data.folder, second.config.data.folder) == (str(tmp_path / "one"), str(tmp_path / "two"))
    assert first.spec == second.spec
    with (tmp_path / "two" / "test_batch.bin").open("r+b") as file:
        file.write(bytes([9]))
    third, *_ = expanded(tmp_path, content, tmp_path / "two")
    assert third.spec["data"] != second.spec["data"]


REFUSED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda t: t["training"]["data"].update(name="mnist"), "--folder: got None; name the folder that holds the mnist"),
    (
        lambda t: t["training"]["data"].update(name="mnist", folder="nowhere"),
        "training.data.folder in FILE: got 'FOLDER/nowhere', which is no folder; name the one with the mnist files",
    ),
    (lambda t: t["training"]["data"].update(name="mnist", folder="."), "FOLDER/train-images-idx3-ubyte: missing"),
    (
        lambda t: t["training"]["data"].update(batch_size=2000),
        "plain: training.data.batch_size in FILE: got 2000; digits has 1437 training images, give at most that",
    ),
    (lambda t: t.update(at_steps=[3, 11]), "plain: at_steps in FILE: got 11; give at most 10, as many as the run"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_the_data_do_not_have_is_refused(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path
) -> None:
    content = tree()
    content["published"] = []
    change(content)
    with pytest.raises(InputError) as refusal:
        expanded(tmp_path, content)
    text = str(refusal.value).replace(str(tmp_path / "small.toml"), "FILE").replace(str(tmp_path), "FOLDER")
    assert text.startswith(said), text


def test_what_can_t_be_trained_is_said_with_the_point(tmp_path: Path) -> None:
    content = tree()
    content["published"], content["variant"] = [], content["variant"][:2]
    content["variant"][1]["training"]["pipeline"]["processors"] = 99
    _, _, late, _ = expanded(tmp_path, content)
    with pytest.raises(InputError, match=r"late, seed 0: processors: got 99; give at most"):
        list(points.run([late], Store(tmp_path / "store")))
