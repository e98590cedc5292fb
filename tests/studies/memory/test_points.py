"""What a training step stores: by hand for small networks, and the published table."""

from __future__ import annotations

import doctest
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.memory import points, schema
from jaxgrad.studies.memory.points import Stored
from jaxgrad.studies.memory.tables import Results
from jaxgrad.studies.store import Store
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.memory.cases import tree


def results(file: Path, store: Path) -> Results:
    experiment = schema.load(file)
    expanded = points.expand(experiment)
    stored = list(points.run(expanded, Store(store)))
    assert stored == list(points.run(expanded, Store(store)))  # from the store
    return Results(experiment, {point.network: one for point, one in zip(expanded, stored, strict=True)})


def test_a_step_by_hand(tmp_path: Path) -> None:
    """Batch 3: a perceptron 6-7-5-2, and convolutions of 8x4 and, pooled, of 4x2 maps, of which 2x1 are left."""
    found = results(write(tmp_path, tree()), tmp_path / "store")
    wide, maps = found.stored["wide"], found.stored["maps"]
    kept = [3 * 18, 3 * (2 + 3 + 2)]  # .3 of 6, 7 and 5, rounded up
    assert wide == Stored([[6, 1], [7, 1], [5, 1]], kept, 1 + 1, 6 * 7 + 7 + 7 * 5 + 5 + 5 * 2 + 2, batch=3)
    assert maps.inputs == [[64, 1], [512, 1], [256, 1], [256, 1], [64, 1]]
    masks = (3 * 8 * 4 * 16, 3 * 4 * 2 * 32, 3 * 4 * 2 * 32, 3 * 2 * 1 * 32)
    assert maps.mask_words == sum(math.ceil(elements / 32) for elements in masks)
    whole, part = found.bytes("wide")
    assert whole == 4 * (3 * 18 + 101) + 3 * 9  # no masks
    assert part == 4 * (kept[1] + 2 + 101) + 3 * 9
    assert found.on_the_array("wide") == [whole, part]
    # of 32, 32, 8 and 8 pixels of a map .3, rounded up; of 64 values too
    sites = 10 * 2 + 10 * 16 + 3 * 32 + 3 * 32 + 20
    assert maps.estimated == [3 * (64 + 512 + 256 + 256 + 64), 3 * sites]


def test_a_share_is_the_decimal_number() -> None:
    stored = Stored([[100, 2]], [], mask_words=0, parameter_words=0, batch=1)
    assert stored.kept_words(0.07) == 2 * 7  # in floats 100 x .07 is above 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": {"hiden": [3]}}, "wide: hiden: got .*; mlp takes hidden"),
        ({"model": "convnet", "options": {}}, "wide: input_shape: .*convnet needs height and width of at least 4"),
    ],
)
def test_a_model_that_cannot_be_built_is_bad_input(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    content = tree()
    content["network"][0].update(change)
    with pytest.raises(InputError, match=said):
        results(write(tmp_path, content), tmp_path / "store")


def test_the_published_table_to_the_last_digit(tmp_path: Path) -> None:
    """Of the file's networks, against the formula on sizes that are written down here."""
    found = results(ROOT / "experiments" / "rad_memory.toml", tmp_path)
    sizes = {
        "FC": ([784, 300, 300, 300], 900, 784 * 300 + 2 * 300 * 300 + 300 * 10 + 3 * 300 + 10),
        "ConvNet": (
            [32 * 32 * 3, 32 * 32 * 16, 16 * 16 * 32, 16 * 16 * 32, 2048],
            32 * 32 * 16 + 2 * 16 * 16 * 32 + 2048,
            25 * (3 * 16 + 16 * 32 + 2 * 32 * 32) + 2048 * 10 + 16 + 3 * 32 + 10,
        ),
    }
    for name, (inputs, relus, weights) in sizes.items():
        for keep, size in zip(found.experiment.memory.keep, found.bytes(name), strict=True):
            kept = sum(math.ceil(Fraction(str(keep)) * each) for each in inputs)
            expected = 150 * 4 * kept + 4 * weights + (keep < 1) * 150 * relus / 8 + 150 * (10 * 4 + 8)
            assert size == pytest.approx(expected, abs=4 * 3)  # masks are whole words
        assert found.differences(name) == [0] * 6
    assert found.on_the_array("FC") == found.bytes("FC")
    assert found.differences("RNN") == [-0.31] * 6
    assert found.stored["RNN"].kept_words(0.5) == 150 * (785 * 50 + 784)


def test_the_documented_examples() -> None:
    assert doctest.testmod(points).failed == 0
