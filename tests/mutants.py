"""``make mutants``: one small change of the source at a time, and whether a test fails for it (mutation testing).

cosmic-ray makes the changes, in copies of the working tree. A change is tried on the tests of its file's namesake and
on the file's examples, which kill most within seconds; if it lives, on the other tests of its room, then on those of
other rooms that import the file. Slow ones are left out. Type annotations are not changed: nothing runs them. A change
that lives shows either a test that is missing or the same program written otherwise: a person has to say which.
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec
from rich.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("array", "autodiff", "programs", "costs", "transform", "designs")
SHARE_KILLED = 0.95

_TIMEOUT_S = 1200  # a room takes minutes, and more where a change has its programs compiled again


class Outcome(NamedTuple):
    """What became of a change.

    Args:
        killed: whether a test failed for it, or the tests did not end.
        endless: whether they did not end.
        diff: the change.
    """

    killed: bool
    endless: bool
    diff: str


def main(
    places: Annotated[list[str] | None, typer.Argument(help="Rooms or files of the package; all six rooms.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="So many changes, drawn by chance; 0: every one.")] = 200,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Copies of the tree that are tested at once.")] = 2,
    minutes: Annotated[float, typer.Option(min=0, help="Begin no other change after so long; 0: no limit.")] = 0,
) -> None:
    """Changes the source and looks whether a test fails; ends with 1 where fewer than 95 % are killed."""
    started = time.monotonic()
    drawn = [mutation for file in _sources(places or ROOMS) for mutation in _mutations(file)]
    total = len(drawn)
    if 0 < sample < total:
        drawn = random.Random(seed).sample(drawn, sample)
    print(f"{len(drawn)} of {total} changes")
    killed = alive = endless = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(workers, initializer=_in_a_copy, initargs=(folder,)) as pool,
        Progress() as progress,
    ):
        pending = [pool.submit(_outcome, mutation) for mutation in drawn]
        for future in progress.track(as_completed(pending), len(pending), description="changes"):
            if future.cancelled():
                continue
            outcome = future.result()
            killed, alive = killed + outcome.killed, alive + (not outcome.killed)
            endless += outcome.endless
            if not outcome.killed:
                progress.console.print(f"lives, {killed} killed:\n{outcome.diff}\n", markup=False, highlight=False)
            if minutes and time.monotonic() - started > 60 * minutes:
                pool.shutdown(wait=False, cancel_futures=True)
    print(f"{killed} killed ({endless} by the time limit), {alive} live: {killed / max(1, killed + alive):.1%}")
    raise typer.Exit(killed < SHARE_KILLED * (killed + alive))


def _sources(places: Sequence[str]) -> Iterator[Path]:
    """Files, relative to the repository's root."""
    for place in places:
        path = ROOT / place if place.endswith(".py") else ROOT / "jaxgrad" / place
        if not path.exists():
            print(f"mutants: got {place!r}; give a file, or one of {', '.join(ROOMS)}", file=sys.stderr)
            raise typer.Exit(2)
        yield from (file.relative_to(ROOT) for file in ([path] if path.is_file() else sorted(path.rglob("*.py"))))


def _mutations(file: Path) -> list[MutationSpec]:
    """The changes of a file, its annotations left alone."""
    spans = list(_annotations(file))
    with use_db(":memory:", WorkDB.Mode.create) as changes:
        init([file], changes, {})
        mutations = [item.mutations[0] for item in changes.work_items]
    return [each for each in mutations if not any(start <= each.start_pos < end for start, end in spans)]


def _annotations(file: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the types of a file stand: the first character and the one after the last, as (line, column)."""
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        for field in ("annotation", "returns"):
            kind = getattr(node, field, None)
            if kind is not None:
                yield (kind.lineno, kind.col_offset), (kind.end_lineno, kind.end_col_offset)


def _in_a_copy(folder: str) -> None:
    """Makes a copy of the working tree, and this process's commands run in it."""
    copy = Path(tempfile.mkdtemp(dir=folder))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = f"{copy}:{copy / 'models'}"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))


def _outcome(mutation: MutationSpec) -> Outcome:
    result = mutate_and_test([mutation], _command(mutation.module_path), timeout=_TIMEOUT_S)
    return Outcome(result.is_killed, result.output == "timeout", result.diff or "")


def _command(file: Path) -> str:
    """The tests of a file: its namesake's, its examples, the rest of its room, then those elsewhere that import it."""
    inside = file.relative_to("jaxgrad")
    namesake = Path("tests") / inside.with_name(f"test_{inside.name}")
    module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    has_examples = ">>> " in file.read_text(encoding="utf-8")
    others = [test for test in sorted(Path("tests").rglob("test_*.py")) if test != namesake]
    importing = [test for test in others if module in _imports(test)]
    room = [test for test in others if test.parts[1] == inside.parts[0]]
    tests = [
        *([namesake] if namesake.exists() else []),
        *([f"tests/test_docstrings.py::test_examples_run_as_printed[{module}]"] if has_examples else []),
        # What imports the file is likelier to fail for it.
        *sorted(room, key=lambda test: test not in importing),
        *(test for test in importing if test not in room),
    ]
    return f"{sys.executable} -m pytest -x -q -n 0 -p no:cacheprovider -m 'not slow' {' '.join(map(str, tests))}"


def _imports(test: Path) -> set[str]:
    """The modules that a test imports, and what it imports from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return names


if __name__ == "__main__":
    typer.run(main)
