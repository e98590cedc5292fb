"""An experiment whose points are done, once for all tests of what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.studies.learning import compare, points, schema
from jaxgrad.studies.learning.compare import Results
from jaxgrad.studies.store import Store
from tests.studies.cases import write
from tests.studies.learning.cases import tree


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file and a store in which its points are done."""
    folder = tmp_path_factory.mktemp("kept")
    file = write(folder, tree())
    list(points.run(points.expand(schema.load(file), file), Store(folder / "store")))
    return folder


@pytest.fixture(scope="session")
def results(kept: Path) -> Results:
    """What came out of it."""
    file = kept / "small.toml"
    experiment = schema.load(file)
    expanded = points.expand(experiment, file)
    return compare.results(experiment, list(zip(expanded, points.run(expanded, Store(kept / "store")), strict=True)))
