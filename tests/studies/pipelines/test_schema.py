"""jaxgrad.studies.pipelines.schema: a file that will not do is refused by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.pipelines import points, schema
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.pipelines.cases import tree


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    experiment = schema.load(write(tmp_path, tree()))
    assert [(variant.schedule, variant.time) for variant in experiment.variant] == [
        ("sequential", "macs"), ("sequential", "macs"), ("sequential", "cycles"), ("sequential", "cycles"),
        ("interleaved", "cycles"),
    ]  # fmt: skip
    assert (experiment.published[0].statistic, experiment.published[0].processors) == ("mean", None)


def test_the_experiments_there_are_can_be_run() -> None:
    links = ROOT / "experiments" / "layerpipe_links.toml"
    assert len(points.expand(schema.load(links), links)) == 7
    file = ROOT / "experiments" / "layerpipe.toml"
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    assert [point.network for point in expanded] == [entry.label for entry in experiment.workload.networks]
    assert experiment.pipelines.processors == list(range(2, 11))
    assert all(each.source and each.assumption for each in experiment.published)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["workload"].update(networks=[]), "workload.networks in .*: got .*; give at least one"),
        (lambda t: t["workload"].update(networks=["lenett"]), "did you mean 'lenet'"),
        (lambda t: t["workload"].update(networks=["lenet", "lenet"]), "got 'lenet' twice; give each once"),
        (lambda t: t["pipelines"].update(processors=[2, 2]), "pipelines.processors in .*: got 2 twice"),
        (lambda t: t["pipelines"].update(processors=[0]), "got 0; give a whole number of at least 1"),
        (lambda t: t["variant"][0].update(pipeline="gpip"), "got 'gpip'; choose one of"),
        (
            lambda t: t["variant"][0].update(pipeline="gpipe"),
            "variant.microbatches in .*: got 8 for 'PipeDream, MACs'; .* the batch, 4",
        ),
        (
            lambda t: t["variant"][0].update(pipeline="interleaved_1f1b", microbatches=4),
            "pipelines.processors in .*: got 3; give numbers that divide the microbatches of 'PipeDream, MACs', 4",
        ),
        (
            lambda t: t["variant"][0].update(pipeline="data_parallel"),
            "pipelines.processors in .*: got 6; give at most 4",
        ),
        (
            lambda t: t["variant"][0].update(microbatches=2),
            "microbatches in .*: got 2; give it with a pipeline that is",
        ),
        (lambda t: t["variant"][0].update(chunks=2), "chunks in .*: got 2; give it with interleaved_1f1b"),
        (lambda t: t["variant"][0].update(words_per_cycle=0), "words_per_cycle in .*: got 0; give a number above 0"),
        (
            lambda t: t["variant"][0].update(overlapped=False),
            "overlapped in .*: got False; give it with words_per_cycle",
        ),
        (lambda t: t["variant"][0].update(update_cycles=True), "update_cycles in .*: got True; count time in cycles"),
        (lambda t: t["variant"][0].update(pipeline="single"), "got 'single'; choose one of"),
        (lambda t: t["variant"][0].update(time="seconds"), "got 'seconds'; choose one of cycles, macs"),
        (lambda t: t["variant"][0].update(name="both"), "variant.name in .*: got 'both' twice"),
        (lambda t: t["comparison"][0].update(over="nothing"), "comparison.over in .*: got 'nothing'; choose one of"),
        (lambda t: t["comparison"][0].update(over="PipeDream"), "whose times are not in one unit"),
        (lambda t: t["comparison"][1].update(name="by MACs"), "comparison.name in .*: got 'by MACs' twice"),
        (lambda t: t["published"][0].update(comparison="none"), "published.comparison in .*: got 'none'; choose one"),
        (lambda t: t["published"][1].update(processors=[4]), "published.processors in .*: got 4; give numbers that"),
        (lambda t: t["published"][0].update(at_most=2.0), "got 1.25 and a range"),
        (lambda t: t.update(baseline="PipeDream"), "baseline in .*: got 'PipeDream'; there is no such key"),
    ],
)
def test_bad_input_is_named(change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    content = tree()
    change(content)
    with pytest.raises(InputError, match=said):
        schema.load(write(tmp_path, content))
