"""Results by their content's address: by all code that shapes them, and never one that was damaged."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxgrad
import jaxgrad_models
from jaxgrad.base import files
from jaxgrad.studies import points, runner, schema, store
from jaxgrad.studies.store import Store, name
from tests.command import ENVIRONMENT
from tests.refusals import Refusal, assert_refused
from tests.studies.cases import tree

RESULT = {"cycles": 12, "energy_pj": {"mac": 1.5, "sram": -2e-3}, "layers": [["conv1", True], None]}


def test_what_was_computed_is_not_computed_again(tmp_path: Path) -> None:
    kept, calls = Store(tmp_path), []

    def compute() -> list[int]:
        calls.append(1)
        return [1, 2]

    assert not kept.has("points", {"a": 1})
    assert kept.cached("points", {"a": 1}, compute) == [1, 2] == Store(tmp_path).cached("points", {"a": 1}, compute)
    assert kept.has("points", {"a": 1})
    assert len(calls) == 1
    kept.cached("points", {"a": 2}, compute)
    kept.cached("traces", {"a": 1}, compute)
    assert len(calls) == 3


def test_an_address_depends_on_the_data_alone_and_on_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store(tmp_path)
    assert kept.path("points", {"a": 1, "b": 2}) == kept.path("points", {"b": 2, "a": 1})
    here = kept.path("points", {"a": 1})
    monkeypatch.setattr(store, "fingerprint", lambda: "another version")
    assert kept.path("points", {"a": 1}) != here


# The code that results are addressed by


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both packages, to be edited."""
    folder = tmp_path_factory.mktemp("packages")
    own = store.packages()
    return [shutil.copytree(each, folder / each.name, ignore=shutil.ignore_patterns("__pycache__")) for each in own]


@pytest.fixture
def from_copies(copies: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Results are addressed by the copies' code."""
    monkeypatch.setattr(store, "packages", lambda: copies)
    store.fingerprint.cache_clear()
    yield copies
    store.fingerprint.cache_clear()


def test_the_fingerprint_is_of_the_code_that_was_imported(copies: list[Path]) -> None:
    imported = [
        Path(module.__file__).resolve() for module in (jaxgrad, jaxgrad_models, points, store) if module.__file__
    ]
    assert all(any(path.is_relative_to(folder) for folder in store.packages()) for path in imported)
    assert store.fingerprint() == store.digest(store.packages(), store.releases()) == store.digest(
        copies, store.releases()
    )  # fmt: skip


def test_another_release_of_what_it_stands_on_is_another_fingerprint(copies: list[Path]) -> None:
    names = [line.split()[0] for line in store.releases()]
    assert {"jax", "jaxlib", "flax", "numpy"} <= set(names)
    newer = [line.replace("jax ", "jax 99.") for line in store.releases()]
    assert store.digest(copies, newer) != store.digest(copies, store.releases())


@settings(max_examples=60)
@given(st.data())
def test_editing_any_byte_of_any_file_is_another_fingerprint(copies: list[Path], data: st.DataObject) -> None:
    before = store.digest(copies)
    every = sorted(path for folder in copies for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(every) > 200
    path = data.draw(st.sampled_from(every))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(
        content[:place] + bytes([content[place] ^ 1 << data.draw(st.integers(0, 7))]) + content[place + 1 :]
    )
    try:
        assert store.digest(copies) != before
    finally:
        path.write_bytes(content)
    assert store.digest(copies) == before


def test_a_file_that_comes_goes_or_moves_is_another_fingerprint(copies: list[Path]) -> None:
    before = store.digest(copies)
    one, other = copies[1] / "lenet.py", copies[1] / "vgg.py"
    contents = one.read_bytes(), other.read_bytes()
    new = copies[1] / "new.toml"
    new.write_bytes(b"")
    seen = {before, store.digest(copies)}
    new.unlink()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    seen.add(store.digest(copies))
    one.write_bytes(contents[0])
    other.unlink()
    seen.add(store.digest(copies))
    other.write_bytes(contents[1])
    assert len(seen) == 4
    assert store.digest(copies) == before
    (copies[1] / "__pycache__").mkdir()
    (copies[1] / "__pycache__" / "lenet.pyc").write_bytes(b"made when it was imported")
    assert store.digest(copies) == before


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("package", "file", "old", "new"),
    [
        (0, "studies/design_search.py", "def outcome(", "def  outcome("),
        (0, "studies/compute.py", "momentum=0.9", "momentum=0.8"),
        (0, "array/closed_form.py", "rows", "row_s"),
        (0, "hardware/technologies/horowitz-45nm.toml", "0.", "1."),
        (1, "layers.py", "3", "4"),
    ],
)
def test_a_point_runs_again_once_any_code_was_edited(
    package: int, file: str, old: str, new: str, from_copies: list[Path], tmp_path: Path
) -> None:
    experiment = schema.check(tree(), "small.toml")
    wanted = points.expand(experiment, Path("small.toml"))[:1]

    def fresh() -> list[bool]:
        store.fingerprint.cache_clear()
        return [is_fresh for *_, is_fresh in runner.run(wanted, Store(tmp_path))]

    assert fresh() == [True]
    assert fresh() == [False]
    edited(from_copies[package] / file, old, new)
    assert fresh() == [True]
    assert fresh() == [False]


# Files that are damaged


def kept_at(folder: Path) -> tuple[Store, Path]:
    kept = Store(folder)
    kept.put("points", {"a": 1}, RESULT)
    return kept, folder / name("points", {"a": 1})


def assert_refused_and_computed_again(kept: Store, path: Path, why: str) -> None:
    with pytest.warns(UserWarning, match=why) as said:
        assert kept.get("points", {"a": 1}) is None
    (line,) = [str(warning.message) for warning in said]
    assert line.startswith(str(path))
    assert "counts as not computed yet" in line
    assert "\n" not in line
    with pytest.warns(UserWarning, match=why):
        assert not kept.has("points", {"a": 1})
    with pytest.warns(UserWarning, match=why):
        assert kept.cached("points", {"a": 1}, lambda: [4]) == [4]
    assert kept.get("points", {"a": 1}) == [4]


@pytest.mark.parametrize("flip", [1, 2, 16, 32, 128])
def test_a_flip_of_any_byte_is_seen(flip: int, tmp_path: Path) -> None:
    kept, path = kept_at(tmp_path)
    whole = path.read_bytes()
    assert kept.get("points", {"a": 1}) == RESULT
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        with pytest.warns(UserWarning, match="is damaged"):
            assert kept.get("points", {"a": 1}) is None, place
    path.write_bytes(whole)
    assert kept.get("points", {"a": 1}) == RESULT


@pytest.mark.parametrize("content", ["", "{}", "3", "null", '{"cycles": 12}', '[3, "torn', "\n", "\n{}", "\ufeff"])
def test_what_is_no_result_of_ours_is_computed_again(content: str, tmp_path: Path) -> None:
    kept, path = kept_at(tmp_path)
    path.write_text(content, encoding="utf-8")
    assert_refused_and_computed_again(kept, path, "is damaged")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"cycles": 12', '"cycles": 13'), ("-0.002", "0.002"), ('"mac"', '"mac_"'), ("true", "false"), ("12", "12 ")],
)
def test_a_result_that_is_still_json_but_not_what_was_written_is_computed_again(
    old: str, new: str, tmp_path: Path
) -> None:
    kept, path = kept_at(tmp_path)
    edited(path, old, new)
    json.loads(path.read_text(encoding="utf-8").partition("\n")[2])
    assert_refused_and_computed_again(kept, path, "is damaged")


def test_cut_off_grown_and_misplaced_files_are_computed_again(tmp_path: Path) -> None:
    kept, path = kept_at(tmp_path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b" ", whole[: whole.index(b"\n")]):
        path.write_bytes(content)
        assert_refused_and_computed_again(kept, path, "is damaged")
    kept.put("points", {"a": 2}, RESULT)
    shutil.copy(kept.path("points", {"a": 2}), path)
    assert_refused_and_computed_again(kept, path, "is damaged")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    kept, path = kept_at(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="can't be read"):
        assert kept.get("points", {"a": 1}) is None


# Several at once, and no room


def test_no_reader_and_no_writer_disturbs_another(tmp_path: Path) -> None:
    script = (
        "import sys, warnings; from pathlib import Path; from jaxgrad.studies.store import Store\n"
        "warnings.simplefilter('error')\n"
        "kept, result = Store(Path(sys.argv[1])), [[index, 'x' * 200] for index in range(200)]\n"
        "for turn in range(200):\n"
        "    kept.put('points', {'a': 1}, result)\n"
        "    assert kept.get('points', {'a': 1}) == result\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    running = [subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    kept, wanted = Store(tmp_path), [[index, "x" * 200] for index in range(200)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(process.poll() is None for process in running):
            assert kept.get("points", {"a": 1}) in (None, wanted)
    for process in running:
        assert process.wait() == 0, process.communicate()[1]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(kept.path("points", {"a": 1})).name]


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store(tmp_path)
    kept.put("points", {"a": 1}, [1])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "replace", full)
    assert_refused(Refusal(lambda: kept.put("points", {"a": 2}, [2]), "store", "No space left on device", "free some"))
    monkeypatch.undo()
    assert kept.get("points", {"a": 1}) == [1]
    assert not kept.has("points", {"a": 2})
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
