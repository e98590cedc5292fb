"""Networks in the files of experiments and design spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.base.schema import Section, validated
from jaxgrad.networks import entries
from jaxgrad.networks.entries import NetworkEntry
from tests.networks import own


class File(Section):
    networks: list[NetworkEntry]


def described(folder: Path, *networks: Any) -> list[entries.Described]:
    file = folder / "F"
    return entries.described(validated(File, {"networks": list(networks)}, str(file)).networks, "networks", file)


def test_a_paper_s_network_is_its_name_and_others_say_more(tmp_path: Path) -> None:
    own.write(tmp_path)
    sizes = {"input_shape": [4, 4, 1], "classes": 5}
    plain, small, fixed, named = described(
        tmp_path,
        "resnet20",
        {"model": "mlp", **sizes, "options": {"hidden": [3]}},
        "my_net.py:Fixed",
        {"model": "my_net.py:Net", **sizes, "name": "mine"},
    )
    assert plain == "resnet20"
    assert small == {"model": "mlp", "name": "mlp", **sizes, "options": {"hidden": [3]}}
    assert isinstance(fixed, dict)
    assert isinstance(named, dict)
    assert fixed == {"model": "my_net.py:Fixed", "name": "my_net.Fixed", "source": named["source"]}
    assert [entries.label(one) for one in (plain, small, fixed, named)] == ["resnet20", "mlp", "my_net.Fixed", "mine"]
    model, images = entries.abstract(named, tmp_path)
    assert images.shape == (1, 4, 4, 1)
    assert model.head.kernel.shape == (8, 5)  # pyright: ignore[reportAttributeAccessIssue]  # of the user's class
    model, images = entries.abstract(small, tmp_path)
    assert model.hidden[0].kernel.shape == (16, 3)  # pyright: ignore[reportAttributeAccessIssue]  # of MLP


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("mlp", "networks.0 in F: got 'mlp'; choose one of resnet32, "),
        ("resnet", "networks.0 in F: got 'resnet'; choose one of mlp, "),
        (3, "networks.0 in F: got 3; give the name of a network, FILE.py:NAME, MODULE:NAME or FILE.onnx, or a table"),
        ({"input_shape": [1, 2, 3]}, "networks.0.model in F: got none"),
        ({"model": "lenet", "input_shape": [1, 2]}, "networks.0.input_shape in F: got [1, 2]; give [height, width"),
        ({"model": "lenet", "clases": 3}, "networks.0.clases in F: got 3; there is no such key; choose one of model, "),
        ({"model": "lenet", "name": "a/b"}, "networks.0.name in F: got 'a/b'; give a name, on one line and without"),
        ({"model": "lenet", "options": {"deep": 1}}, "networks.0.deep in F: got 1; lenet has no options"),
        ("my_net.py:Net", "networks.0.input_shape in F: got none, and my_net.py:Net says none; give [height, width"),
        ("my_net.py:Nett", "networks.0 in F: got "),
        ("none.py:Net", "networks.0 in F: got "),
        ({"model": "my_net.py:Fixed", "input_shape": [2, 2, 1]}, "networks.0 in F: got "),
        ("broken.py:Net", "networks.0 in F: got "),
    ],
)
def test_what_will_not_do_is_one_line_with_its_place(tmp_path: Path, network: Any, said: str) -> None:
    own.write(tmp_path)
    own.write(tmp_path, "class Net(:\n", "broken.py")
    with pytest.raises(InputError) as raised:
        described(tmp_path, "resnet20" if network is None else network)
    text = str(raised.value).replace(f"{tmp_path}/", "")
    assert text.startswith(said), text
    assert "\n" not in text
