"""Measurements in a CSV file: each line is one, and a line that will not do is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.studies.measurements.files import expanded

TABLE = {"file": "layers.csv", "unit": "ms", "source": "a paper", "phase": "step"}
SWEEP = [{"name": "batch"}]


def read(folder: Path, text: str | bytes, **keys: Any) -> list[dict[str, Any]]:
    (folder / "layers.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    tree = {"title": "t", "sweep": SWEEP, "measured": [{"value": 1.0}, {**TABLE, **keys}]}
    found = expanded(tree, folder)
    assert found["title"] == "t"
    assert found["measured"][0] == {"value": 1.0}
    return found["measured"][1:]


def test_lines_are_measurements_and_the_table_says_the_rest(tmp_path: Path) -> None:
    text = "layer, value, std, phase, batch, fit\nconv1, 2.5, 0.1, forward, 4,\nconv2, 1e3,, , 8, false\n\n"
    assert read(tmp_path, text, std=0.3) == [
        {
            "layer": "conv1",
            "value": 2.5,
            "std": 0.1,
            "phase": "forward",
            "at": {"batch": "4"},
            "unit": "ms",
            "source": "a paper",
        },
        {
            "layer": "conv2",
            "value": 1000.0,
            "std": 0.3,
            "phase": "step",
            "at": {"batch": "8"},
            "fit": False,
            "unit": "ms",
            "source": "a paper",
        },
    ]


def test_samples_take_the_place_of_a_value_and_its_error(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "samples,unit\n1.0 2.0 3,us\n", value=9.0, std=0.5)
    assert found == {"samples": [1.0, 2.0, 3.0], "unit": "us", "source": "a paper", "phase": "step"}


def test_a_file_of_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfvalue\r\n2\r\n")[0]["value"] == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer,value\nconv1,0\n", "{folder}/layers.csv, line 2: value: got 0.0; give a number above 0"),
        ("layer,value\nconv1,1\nconv2,fast\n", "{folder}/layers.csv, line 3: value: got 'fast'; give a number"),
        ("value,unit\n1,furlong\n", "{folder}/layers.csv, line 2: unit: got 'furlong'; choose one of cycles"),
        ("layer,value\nconv1,1,2\n", "{folder}/layers.csv, line 2: line: got ['2']; give no more than there are"),
        (
            "layer,valu\nconv1,1\n",
            "measured.1.file: got a column 'valu' in {folder}/layers.csv; choose columns of value",
        ),
        ("layer,value\n", "measured.1.file: got none in {folder}/layers.csv; give lines under the names"),
        ("", "measured.1.file: got none in {folder}/layers.csv"),
        (b"\xff\xfe\x00", "measured.1.file: got '{folder}/layers.csv'; give a CSV file in UTF-8"),
        ('value\n"1\n', "measured.1.file: got '{folder}/layers.csv'; give a CSV file in UTF-8"),
    ],
)
def test_what_will_not_do_is_one_line_that_says_where(text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(said.format(folder=tmp_path))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "said"), [("nowhere.csv", "there is no such file"), (3, "give the path"), (".", "read")]
)
def test_a_file_that_is_not_there_is_named(name: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, "value\n1\n", file=name)


def test_what_is_no_list_of_tables_is_left_to_the_schema(tmp_path: Path) -> None:
    assert expanded({"measured": 3, "sweep": 4}, tmp_path) == {"measured": 3, "sweep": 4}
    assert expanded({"measured": [{"file": 1}, 5][1:]}, tmp_path) == {"measured": [5]}
    assert expanded({}, tmp_path) == {}
