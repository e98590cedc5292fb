"""``make wheel``: what pip installs from a build, on each Python that jaxgrad says it runs on.

Builds the source distribution and from it the wheel, as a release does, and has twine check them. Then pip installs the
wheel, with all that it needs, in a fresh environment of each Python that is found here, and a few commands run there
from an empty folder, this checkout nowhere on their path.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import findpython
import typer
from rich.console import Console
from rich.table import Table

from tests.studies.cases import tree, write

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"

_VERSIONS = (
    "import sys, jax, jaxgrad, jaxgrad_models; print(sys.version.split()[0], jax.__version__, jaxgrad.__version__)"
)
_PLACE = "import sysconfig; print(sysconfig.get_path('purelib'))"
# With what they need of the wheel besides modules: a technology and the report's template, the animation's page.
_COMMANDS = (
    "--help",
    "train --epochs 1 --out trained",
    "run small.toml",
    "trace --batch 2 --in-features 3 --out-features 2 --rows 2 --cols 2 --out traced",
)


class Tried(NamedTuple):
    """What came of one Python.

    Args:
        python: its version.
        jax: the release that pip chose.
        install_s: what pip took, downloads included where its cache lacks them.
        megabytes: of the environment's packages.
        run_s: what the commands took.
        problem: what went wrong, empty where all went well.
    """

    python: str
    jax: str
    install_s: float
    megabytes: float
    run_s: float
    problem: str


def main(
    python: Annotated[list[Path] | None, typer.Option(help="Interpreters to try instead of those found.")] = None,
) -> None:
    """Builds, checks and tries the wheel; ends with 1 where something fails, or no Python was found."""
    try:
        wheel = built()
    except Failed as failure:
        sys.exit(str(failure))
    print(f"built and checked: {', '.join(path.name for path in sorted(DIST.iterdir()))}", flush=True)
    supported = versions()
    found = dict(found_here(supported)) if python is None else {str(path): path for path in python}
    results = []
    for name, path in found.items():
        print(f"trying Python {name}", flush=True)
        results.append(tried(path, wheel))
    Console(width=max(100, Console().width)).print(_table(results))
    lacking = [] if python else [version for version in supported if version not in found]
    if lacking:
        print(f"not tried, there is no such Python here: {', '.join(lacking)}")
    for each in results:
        if each.problem:
            print(f"\nPython {each.python}: {each.problem}", file=sys.stderr)
    sys.exit(any(each.problem for each in results) or not results)


def built() -> Path:
    """The wheel in ``dist/``, the source distribution beside it, both as a package index wants them."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("jaxgrad-*"):
        old.unlink()
    _must([sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT)])
    _must([sys.executable, "-m", "twine", "check", "--strict", *(str(path) for path in DIST.glob("jaxgrad-*"))])
    (wheel,) = DIST.glob("jaxgrad-*.whl")
    return wheel


def versions() -> list[str]:
    """Those that jaxgrad says it runs on: ``3.11`` and so on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = (line.rpartition(" :: ")[2] for line in project["classifiers"] if line.startswith("Programming Language"))
    return [name for name in named if "." in name]


def found_here(wanted: list[str]) -> Iterator[tuple[str, Path]]:
    """An interpreter of each version: on the path, or where a version manager keeps them."""
    for version in wanted:
        found = findpython.find(version)
        if found is not None:
            yield version, found.executable


def tried(python: Path, wheel: Path) -> Tried:
    """Installs the wheel in a fresh environment of an interpreter, and runs what a user would."""
    with tempfile.TemporaryDirectory(prefix="jaxgrad-") as name:
        environment, folder = Path(name, "environment"), Path(name, "empty")
        folder.mkdir()
        program = environment / ("Scripts" if os.name == "nt" else "bin")
        own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "JAX_"))}
        own |= {"XDG_CACHE_HOME": str(Path(name, "cache")), "JAX_PLATFORMS": "cpu"}
        version, jax, install_s, size, run_s = str(python), "", 0.0, 0.0, 0.0
        try:
            _must([str(python), "-m", "venv", str(environment)], env=own)
            began = time.monotonic()
            _must([program / "python", "-m", "pip", "install", "--quiet", wheel], env=own, cwd=folder)
            install_s = time.monotonic() - began
            size = _megabytes(Path(_must([program / "python", "-c", _PLACE], env=own).strip()))
            version, jax, ours = _must([program / "python", "-c", _VERSIONS], env=own, cwd=folder).split()
            began = time.monotonic()
            told = _must([program / "jaxgrad", "--version"], env=own, cwd=folder).strip()
            if not told == f"jaxgrad {ours}" == f"jaxgrad {wheel.name.split('-')[1]}":
                raise Failed(f"{wheel.name} says that it is {told!r}, and jaxgrad.__version__ {ours!r}")
            write(folder, tree())
            for command in _COMMANDS:
                _must([program / "jaxgrad", *command.split()], env=own, cwd=folder)
            run_s = time.monotonic() - began
        except Failed as failure:
            return Tried(version, jax, install_s, size, run_s, str(failure))
        return Tried(version, jax, install_s, size, run_s, "")


class Failed(Exception):
    """A step that did not end as it should."""


def _must(command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Runs a command; returns what it printed.

    Raises:
        Failed: it ended otherwise than with 0; with all that it said.
    """
    done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _table(results: list[Tried]) -> Table:
    table = Table("Python", "jax", "install [s]", "size [MB]", "commands [s]", "", box=None)
    for each in results:
        took = (f"{each.install_s:.0f}", f"{each.megabytes:.0f}", f"{each.run_s:.0f}")
        table.add_row(each.python, each.jax, *took, "failed" if each.problem else "works")
    return table


if __name__ == "__main__":
    typer.run(main)
