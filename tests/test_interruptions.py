"""What ``make interruptions`` takes for right, and that it interrupts every command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from jaxgrad.cli.app import COMMANDS
from tests import interruptions
from tests.interruptions import CASES, Case, Outcome, Whole, interrupt


def test_every_command_is_interrupted() -> None:
    assert {case.arguments[0] for case in CASES.values()} == set(COMMANDS)


@pytest.mark.parametrize(
    ("code", "said", "took_s", "faults"),
    [
        (130, "interrupted\n", 1.9, 0),
        (130, "interrupted; go on with: jaxgrad run x.toml\n", 0.1, 0),
        (130, "interrupted\n", 2.1, 1),
        (-2, "interrupted\n", 0.1, 1),
        (130, "", 0.1, 1),
        (130, "Traceback\nKeyboardInterrupt\n", 0.1, 1),
        (1, "Traceback\nKeyboardInterrupt\n", 3.0, 3),
    ],
)
def test_what_is_right(code: int, said: str, took_s: float, faults: int) -> None:
    assert len(interruptions.judged(code, said, took_s)) == faults


def test_files_that_are_half_written_are_found(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("[array]\nrows = 8\n")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch"')
    (tmp_path / "run" / ".counters.12.tmp.json").write_text("{")
    (broken,) = interruptions.half_written(tmp_path)
    assert broken.startswith("run/metrics.jsonl is not whole")


def test_a_hint_is_followed_as_a_shell_reads_it(tmp_path: Path) -> None:
    assert not interruptions.goes_on("jaxgrad explain --rows '2' --cols 2", tmp_path)
    (fault,) = interruptions.goes_on("jaxgrad train --resume a run's", tmp_path)
    assert "a run's" in fault


def test_what_a_wrong_run_said_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        Outcome(0.5, 130, 0.1, [], "interrupted\n"),
        Outcome(0.7, 1, 0.1, ["exit code 1"], "Traceback\nValueError: [of] a library\n"),
    ]
    moments: list[float] = []

    def interrupted(case: Case, moment_s: float, follow: bool) -> Outcome:
        moments.append(moment_s)
        return outcomes[len(moments) - 1]

    monkeypatch.setattr(interruptions, "interrupt", interrupted)
    monkeypatch.setattr(interruptions, "measure", lambda _: Whole(clock_s=9.0, processor_s=2.0))
    with pytest.raises(typer.Exit) as ended:
        interruptions.main(["explain"], signals=2)
    assert ended.value.exit_code == 1
    said = capsys.readouterr().out
    assert "explain, at 0.70 s: exit code 1\nTraceback\nValueError: [of] a library\n" in said
    assert "interrupted\n" not in said
    assert all(0 < moment < 2 for moment in moments)


def test_a_command_is_interrupted_for_real() -> None:
    outcome = interrupt(Case(["explain"]), 0.3, follow=True)
    assert outcome.code == 130  # it takes more than a second of processor time, however busy the machine is
    assert outcome.said == "interrupted\n"
    assert not [fault for fault in outcome.faults if not fault.endswith(" s")]  # how long it took is a busy machine's
