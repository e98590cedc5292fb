"""``jaxgrad run``: from an experiment's file to its report."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli import main
from jaxgrad.studies import report
from tests.command import ENVIRONMENT
from tests.studies.cases import tree, write


def test_an_experiment_runs_and_a_second_time_at_once(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(elsewhere, tree())
    assert main(["run", "small.toml"]) == 0
    first = capsys.readouterr().out
    assert all(word in first for word in ("a small one", "40x24", "interleaved", "deviation", "report.html"))
    assert main(["run", "--check", "small.toml"]) == 0
    assert "6 points, 6 of them done before" in capsys.readouterr().out
    assert main(["run", "small.toml", "--out", "again"]) == 0
    assert capsys.readouterr().out.split("\nIn ")[0] == first.split("\nIn ")[0]
    assert (elsewhere / "again" / "results.json").read_text() == (
        elsewhere / "results" / "small" / "results.json"
    ).read_text()


def test_check_writes_nothing(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(elsewhere, tree())
    assert main(["run", "small.toml", "--check"]) == 0
    assert "6 points, 0 of them done before" in capsys.readouterr().out
    assert [path.name for path in elsewhere.iterdir()] == ["small.toml"]


@pytest.mark.parametrize(
    ("content", "typed", "said"),
    [
        (None, "nowhere.toml", "CONFIG: got 'nowhere.toml'; there is no such file"),
        (None, ".", "CONFIG: got '.'; give a file that can be read"),
        (b"\xff\xfe", "small.toml", "CONFIG: got 'small.toml'; give a TOML file in UTF-8"),
        (b"title =", "small.toml", "CONFIG: got 'small.toml'; mend its TOML"),
        (b"", "small.toml", "title in small.toml: got none"),
        (b"x = 1\n", "small.toml", "x in small.toml: got 1; there is no such key"),
    ],
)
def test_a_file_that_will_not_do_is_one_line(
    content: bytes | None, typed: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (elsewhere / "small.toml").write_bytes(content)
    assert main(["run", typed]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}"), error
    assert len(error.splitlines()) == 1
    assert {path.name for path in elsewhere.iterdir()} <= {"small.toml"}


def test_an_sram_too_small_is_one_line_and_leaves_no_report(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(elsewhere, tree(machine__memory__sram_kib=1, machine__rows=64, machine__cols=64))
    assert main(["run", "small.toml"]) == 2
    error = capsys.readouterr().err
    assert "layer 'dense' needs" in error
    assert len(error.splitlines()) == 1
    assert not (elsewhere / "results" / "small").exists()


def test_counts_longer_than_64_bits_are_drawn(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(elsewhere, tree(workload__batch=10**18, sweep=[], published=[]))
    assert main(["run", "small.toml"]) == 0
    assert (elsewhere / "results" / "small" / "40x24_accesses.png").exists()


@pytest.mark.parametrize(("typed", "said"), [("run", "CONFIG"), ("run a.toml b.toml", "b.toml")])
def test_too_few_and_too_many_arguments(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("option", ["--out", "--store"])
@pytest.mark.parametrize("folder", ["small.toml", "small.toml/deep", "", "link", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(
    option: str, folder: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(elsewhere, tree())
    (elsewhere / "link").symlink_to("nothing")
    assert main(["run", "small.toml", option, folder]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {option}: got {folder!r}"), error
    assert len(error.splitlines()) == 1
    assert {path.name for path in elsewhere.iterdir()} == {"small.toml", "link"}


@pytest.mark.parametrize("at", ["jaxgrad.studies.runner.compute", "jaxgrad.studies.report.write"])
def test_an_interrupted_run_says_how_to_go_on_with_the_same_options(
    at: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    write(elsewhere, tree())
    monkeypatch.setattr(at, interrupt)
    assert main(["run", "small.toml", "--out", "my results", "--store", "kept"]) == 130
    said = "go on with: jaxgrad run small.toml --out 'my results' --store kept"
    assert capsys.readouterr().err.strip().endswith(said)


def test_two_that_write_into_one_folder_do_not_mix(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the first one draws, the second one, another experiment, comes to its end."""
    write(elsewhere, tree())
    write(elsewhere, tree(title="of the second", sweep=[], published=[]), "another.toml")
    ends: list[int] = []

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.undo()
        monkeypatch.chdir(elsewhere)
        ends.append(main(["run", "another.toml", "--out", "both", "--store", "theirs"]))
        return drawn(*arguments)

    drawn = report.write
    monkeypatch.setattr(report, "write", meanwhile)
    assert main(["run", "small.toml", "--out", "both"]) == 0
    assert ends == [2]
    assert re.fullmatch(r"error: --out: got 'both', where process \d+ is at work; .*\n", capsys.readouterr().err)
    assert "of the second" not in (elsewhere / "both" / "tables.txt").read_text()
    assert main(["run", "another.toml", "--out", "both", "--store", "theirs"]) == 0


@pytest.mark.slow
def test_a_killed_run_goes_on(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed as soon as it has finished a point: what is there is whole, and is not run again."""
    sweep = [{"name": "batch", "keys": ["workload.batch"], "values": list(range(1, 100))}]
    variants = [{"name": "WS", "schedule": "ws_only"}, {"name": "interleaved", "schedule": "interleaved"}]
    write(elsewhere, tree(sweep=sweep, published=[], variant=variants))
    code = "import sys; from jaxgrad.cli import main; sys.exit(main(['run', 'small.toml']))"
    process = subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT, cwd=elsewhere, stdout=subprocess.DEVNULL)
    store = elsewhere / "results" / "store" / "points"
    deadline = time.monotonic() + 60
    while not list(store.rglob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in store.rglob("[0-9a-f]*.json")}
    assert 0 < len(done) < 198
    assert not (elsewhere / "results" / "small").exists()
    assert main(["run", "--check", "small.toml"]) == 0
    assert f"198 points, {len(done)} of them done before" in capsys.readouterr().out
    assert main(["run", "small.toml"]) == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(list(store.rglob("[0-9a-f]*.json"))) == 198
