"""Options: from text to values where they are declared, and what will not do as a value too."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from jaxgrad.array.schedules import SCHEDULES, TRAINING_SCHEDULES
from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices, cluster
from jaxgrad.cli.errors import BadInput, command
from jaxgrad.cli.functions import Named
from jaxgrad.cli.options import (
    DECAY,
    FRACTION,
    NATURAL,
    RATE,
    SEED,
    SIZE,
    Choice,
    Shape,
    Widths,
    file,
    given,
    option,
    path,
)
from jaxgrad.cli.shared_options import SCHEDULE, TRAINING_SCHEDULE
from jaxgrad.cli.trace import Names

NAMES = Choice(lambda: ("ws", "os"))

TAKEN: list[tuple[Callable[[str, Any], Any], Any, Any]] = [
    (SIZE, "8", 8),
    (SIZE, 8, 8),
    (NATURAL, "0", 0),
    (SEED, "0", 0),
    (RATE, "1e-2", 0.01),
    (RATE, 1.0, 1.0),
    (DECAY, "0", 0.0),
    (FRACTION, "0.5", 0.5),
    (NAMES, "ws", "ws"),
    (Choice(choices.schedules), "interleaved_b", "interleaved"),
    (path, "a/b", Path("a/b")),
    (file, Path("a"), Path("a")),
    (Shape.of, "8X9x3", Shape(8, 9, 3)),
    (Shape.of, Shape(8, 9, 3), Shape(8, 9, 3)),
    (Widths.of, "300, 10", Widths((300, 10))),
    (Widths.of, Widths((3,)), Widths((3,))),
    (cluster.where, "local", "local"),
    (cluster.where, "local:8", "local:8"),
    (cluster.where, "tcp://host:8786", "tcp://host:8786"),
    (Names.parsed, "os, ws,os", Names(("os", "ws"))),
    (Names.parsed, "interleaved_b,ws", Names(("interleaved", "ws"))),
    (Named.loop, "9", Named("", 9)),
    (Named.loop, "a=b=9", Named("a=b", 9)),
    (Named.axis, "batch=9", Named("batch", 9)),
]


@pytest.mark.parametrize(("rule", "given", "value"), TAKEN)
def test_text_and_defaults_become_values(rule: Callable[[str, Any], Any], given: Any, value: Any) -> None:
    taken = rule("--x", given)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(("declared", "names"), [(SCHEDULE, SCHEDULES), (TRAINING_SCHEDULE, TRAINING_SCHEDULES)])
def test_help_lists_every_schedule(declared: Any, names: Sequence[str]) -> None:
    """It can't ask for them: help does not wait for JAX."""
    listed = re.findall(r"\w+", declared.help)
    assert set(names) <= set(listed)


REFUSED: list[tuple[Callable[[str, Any], Any], str, Any, str]] = [
    (SIZE, "0", 0, "give a whole number of at least 1"),
    (SIZE, "x", "x", "give a whole number of at least 1"),
    (SIZE, "1.5", "1.5", "give a whole number of at least 1"),
    (SIZE, "9" * 5000, "9" * 5000, "give a whole number of at least 1"),
    (NATURAL, "-1", -1, "give a whole number of at least 0"),
    (SEED, "-1", -1, "give a whole number from 0 to 2**32 - 1"),
    (RATE, "nan", None, "give a number above 0"),
    (DECAY, "-1", -1.0, "give a number of at least 0"),
    (FRACTION, "1", 1.0, "give a number from 0 up to, not including, 1"),
    (NAMES, "wss", "wss", "choose one of ws, os (did you mean 'ws'?)"),
    (path, "", "", "give the path of a folder"),
    (file, "", "", "give the path of a file"),
    (Shape.of, "8x8", "8x8", "give height, width and channels, such as 32x32x3"),
    (Shape.of, "8x0x3", "8x0x3", "give height, width and channels, such as 32x32x3"),
    (Widths.of, "3,x", "3,x", "give widths, such as 300,300"),
    (Widths.of, "3,0", 0, "give a whole number of at least 1"),
    (cluster.where, "slurm", "slurm", cluster.REMEDY),
    (cluster.where, "local:0", "local:0", cluster.REMEDY),
    (cluster.where, "", "", cluster.REMEDY),
    (cluster.where, "nowhere/slurm.toml", "nowhere/slurm.toml", "there is no such file"),
    (Named.axis, "9", "9", "give NAME=N, such as batch=32"),
    (Named.loop, "a=0", 0, "give a whole number of at least 1"),
]


@pytest.mark.parametrize(("rule", "given", "value", "remedy"), REFUSED)
def test_what_will_not_do_is_a_value(rule: Callable[[str, Any], Any], given: str, value: Any, remedy: str) -> None:
    with pytest.raises(InputError) as raised:
        rule("--x", given)
    assert (raised.value.field, raised.value.remedy) == ("--x", remedy)
    assert value is None or raised.value.value == value


def run(function: Callable[..., Any], *arguments: str) -> Any:
    app = typer.Typer()
    app.command()(command(function))
    return typer.main.get_command(app).main(list(arguments), standalone_mode=False)


def test_a_command_has_values_and_knows_which_were_typed() -> None:
    seen: dict[str, Any] = {}

    def work(
        context: typer.Context,
        rows: Annotated[int, option("--rows", "N", "Rows.", rule=SIZE)] = 16,
        out: Annotated[Path | None, option("--out", "DIR", "Where to.", rule=path)] = None,
        names: Annotated[list[Named] | None, option("--name", "N", "Names.", rule=Named.axis)] = None,
        both: Annotated[bool, option("--both/--one", None, "Both.")] = False,
    ) -> int:
        seen.update(rows=rows, out=out, names=names, both=both, given=given(context))
        return 0

    assert run(work, "--out", "a", "--name", "x=1", "--name", "y=2") == 0
    assert seen == {
        "rows": 16,
        "out": Path("a"),
        "names": [Named("x", 1), Named("y", 2)],
        "both": False,
        "given": {"out", "names"},
    }
    assert run(work, "--both", "--rows", "3") == 0
    assert (seen["rows"], seen["names"], seen["given"]) == (3, None, {"both", "rows"})


def test_what_an_option_refuses_comes_through_the_parser_as_a_value() -> None:
    def work(rows: Annotated[int, option("--rows", "N", "Rows.", rule=SIZE)] = 16) -> int:
        return rows

    with pytest.raises(BadInput) as raised:
        run(work, "--rows", "0")
    error = raised.value.error
    assert (error.field, error.value, error.remedy) == ("--rows", 0, "give a whole number of at least 1")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (InputError("rows", 9, "give less"), "--rows: got 9; give less"),
        (InputError("kind", 9, "give less"), "-k: got 9; give less"),
        (InputError("sram_bytes", 9, "give more"), "sram_bytes: got 9; give more"),
        (InputError("rows", 9, "give less").read_from("a.toml"), "rows in a.toml: got 9; give less"),
        (InputError("rows", 9, "give less").within("net"), "net: rows: got 9; give less"),
        (
            OSError(28, "No space left on device", "a"),
            "a: got No space left on device; free some space, or give another place",
        ),
        (OSError(13, "Permission denied", "a"), "a: got Permission denied; give a path that can be used"),
    ],
)
def test_a_field_is_named_by_the_option_that_set_it(
    refusal: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(
        rows: Annotated[int, option("--rows", "N", "Rows.", rule=SIZE)] = 16,
        kind: Annotated[str, option("-k --kind", "K", "Kind.")] = "",
    ) -> int:
        raise refusal

    assert run(work) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
