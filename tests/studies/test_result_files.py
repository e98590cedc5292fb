"""Results in files: tables as CSV and Parquet, what --json printed, and folders of experiments; broken ones refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.cli.designs import writer
from jaxgrad.designs.sweep import Table
from jaxgrad.studies.result_files import documents, experiments, read_table, tables
from jaxgrad.studies.result_folders import compared

DESIGNS: Table = {
    "schedule": ["ws_only", "ws_only", "interleaved"],
    "double_buffered": [True, False, True],
    "cycles": [5, 7, None],
    "energy_pj": [0.25, 1e-30, None],
}


def written(path: Path, table: Table) -> Path:
    writer(path)(path, table)
    return path


def document(path: Path, tree: Any) -> Path:
    path.write_text(json.dumps(tree))
    return path


def test_what_sweep_writes_as_csv_and_as_parquet_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    one, other = written(tmp_path / "a.csv", DESIGNS), written(tmp_path / "b.parquet", DESIGNS)
    assert read_table(one) == read_table(other)
    assert tables(one, other).is_equal
    changed = written(tmp_path / "c.parquet", {**DESIGNS, "cycles": [5, 8, None]})
    (difference,) = tables(one, changed).pairs[""].differences
    assert (difference.row, difference.column, difference.values) == (("ws_only", "False"), "cycles", (7, 8))


def test_an_experiment_is_all_its_tables(tmp_path: Path) -> None:
    for name, cycles in (("a", 5), ("b", 6)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.csv").write_text(f"network,variant,cycles\nlenet,A,{cycles}\nlenet,B,3\n")
        (folder / "layers.csv").write_text("layer,cycles\nconv1,2\n")
        document(folder / "results.json", {})
    found = experiments(tmp_path / "a", tmp_path / "b")
    assert {name: pair.is_equal for name, pair in found.pairs.items()} == {"layers.csv": True, "results.csv": False}
    assert compared(tmp_path / "a", tmp_path / "a").is_equal
    (tmp_path / "b" / "results.json").unlink()
    with pytest.raises(InputError, match=r"B: got '.*b', which holds no results"):
        compared(tmp_path / "a", tmp_path / "b")


def test_documents_are_compared_place_by_place_and_records_row_by_row(tmp_path: Path) -> None:
    def told(batch: int, *arrays: int) -> dict[str, Any]:
        rows = [
            {"pipeline": "1f1b", "processors": each, "split": [1, 2], "of": {"period": 12 // each}} for each in arrays
        ]
        return {
            "config": {"batch": batch, "on": True},
            "notes": [],
            "rows": rows,
            "layers": {"a": {"cycles": [1, [2]]}},
        }

    found = documents(document(tmp_path / "a.json", told(8, 2)), document(tmp_path / "b.json", told(16, 2, 4)))
    assert [(each.row, each.values) for each in found.pairs["config"].differences] == [(("batch",), (8, 16))]
    assert found.pairs["rows"].alone == ([], [(4,)])
    assert not found.pairs["rows"].differences
    assert found.pairs["layers"].is_equal
    # Records of one alone are a table of one alone.
    found = documents(document(tmp_path / "a.json", told(8)), document(tmp_path / "b.json", told(8, 2)))
    assert found.alone == ([], ["rows"])


def test_documents_of_other_commands_are_refused_and_more_of_one_is_not(tmp_path: Path) -> None:
    one = document(tmp_path / "a.json", {"counts": 1})
    more = document(tmp_path / "b.json", {"counts": 1, "on_machine": {"cycles": 2}})
    assert documents(one, more).alone == ([], ["on_machine"])
    with pytest.raises(InputError, match="A has 'counts', which B has not, and B 'rows', which A has not"):
        documents(one, document(tmp_path / "c.json", {"rows": 2}))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "has no rows"),
        ("a.csv", b"a,b\n", "has no rows"),
        ("a.csv", b"a,b\n1\n", "has 1 values in line 2, for 2 columns"),
        ("a.csv", b"a\n\xff\n", "can't be read: 'utf-8' codec"),
        ("a.csv", b'a\n"1', "can't be read: unexpected end of data"),
        ("a.parquet", b"none", "can't be read: "),
        ("a.json", b"[", "can't be read: Expecting value"),
        ("a.json", b"[1]", "is no object"),
        ("a.json", b"{}", "is no object"),
        ("a.json", b"[" * 100_000, "can't be read: "),
        ("a.json", b'{"traceEvents": []}', "is a trace to look at"),
    ],
)
def test_what_is_broken_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        compared(path, path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
