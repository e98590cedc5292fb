"""Files written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from jaxgrad.base import files
from jaxgrad.base.files import check_folder, whole, write_text, write_texts
from tests.refusals import Refusal, assert_refused


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")

    def half() -> None:
        with whole(path) as partial:
            partial.write_text("new, but")
            assert partial.suffix == ".png"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["picture.png"]


@pytest.mark.parametrize("path", ["taken", "taken/deep", "", "link", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    (tmp_path / "link").symlink_to("nothing")
    assert_refused(Refusal(lambda: check_folder("--out", path), "--out", repr(path), "give"))


def test_a_folder_that_can_be_made_is_not_made_yet(tmp_path: Path) -> None:
    assert check_folder("--out", tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


def test_texts_are_written_in_order_and_what_is_half_written_goes(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert write_texts(folder, {"b.txt": "B", "a.txt": "A"}) == [folder / "b.txt", folder / "a.txt"]
    (folder / ".c.0123456789abcdef.tmp.txt").write_text("half")
    write_texts(folder, {"a.txt": "new"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.txt": "new", "b.txt": "B"}
