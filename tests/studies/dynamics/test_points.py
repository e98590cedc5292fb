"""jaxgrad.studies.dynamics.points: what tells one result in the store from another, and data that are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.dynamics import points, schema
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.dynamics.cases import tree


def test_a_network_of_the_users_own_that_changed_is_another(tmp_path: Path) -> None:
    network = tmp_path / "my_net.py"
    shutil.copy(ROOT / "examples" / "my_net.py", network)
    content = tree()
    content["training"]["model"] = {"name": "my_net.py:Net"}
    file = write(tmp_path, content)
    one, same = (points.expand(schema.load(file), file)[0].spec for _ in range(2))
    network.write_text(network.read_text() + "\n# changed\n")
    other = points.expand(schema.load(file), file)[0].spec
    assert one == same
    assert one != other
    assert str(tmp_path) not in str(one)


def test_a_folder_of_data_that_is_not_there_is_named_by_its_key(tmp_path: Path) -> None:
    content = tree()
    content["training"]["data"] = {"name": "mnist", "folder": "nowhere", "batch_size": 4}
    file = write(tmp_path, content)
    with pytest.raises(InputError, match=r"^training\.data\.folder in .*\.toml: got .*nowhere"):
        points.expand(schema.load(file), file)
