"""jaxgrad.studies.memory.schema: a file that will not do is refused by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.memory import schema
from tests.studies.cases import write
from tests.studies.memory.cases import tree


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    experiment = schema.load(write(tmp_path, {key: tree()[key] for key in ("title", "memory", "network")}))
    assert (experiment.network[1].classes, experiment.network[1].options, experiment.published) == (10, {}, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["memory"].update(batch=0), "memory.batch in .*: got 0; give a whole number of at least 1"),
        (lambda t: t["memory"].update(keep=[]), "memory.keep in .*; give at least one"),
        (lambda t: t["memory"].update(keep=[1.0, 0]), "got 0; give a number above 0, and at most 1"),
        (lambda t: t["memory"].update(keep=[1.0, 1.5]), "got 1.5; give a number above 0, and at most 1"),
        (lambda t: t["memory"].update(keep=[1.0, 1.0]), "memory.keep in .*: got 1.0 twice; give each once"),
        (lambda t: t["memory"].update(loss_bytes=-1), "memory.loss_bytes in .*: got -1; give a whole number of at"),
        (lambda t: t["network"][0].update(model="mlpp"), "got 'mlpp'; .*did you mean 'mlp'"),
        (lambda t: t["network"][0].update(input_shape=[8, 8]), r"got .*; give \[height, width, channels\]"),
        (lambda t: t["network"][0].update(name="maps"), "network.name in .*: got 'maps' twice; give each once"),
        (lambda t: t["published"][0].update(network="RNN"), "published.network in .*: got 'RNN'; choose one of wide,"),
        (lambda t: t["published"][0].update(megabytes=[1.0]), "published.megabytes in .*: got 1; give 2, one for each"),
        (lambda t: t.update(baseline="wide"), "baseline in .*: got 'wide'; there is no such key"),
    ],
)
def test_bad_input_is_named(change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    content = tree()
    change(content)
    with pytest.raises(InputError, match=said):
        schema.load(write(tmp_path, content))
