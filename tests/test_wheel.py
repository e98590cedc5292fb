"""An installed jaxgrad brings two packages and no more, and leaves its user's own folders to its user."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import tomli_w

from tests.command import ROOT
from tests.studies.cases import tree

pytest.importorskip("hatchling")
pytestmark = pytest.mark.slow

PACKAGES = {"jaxgrad": ROOT / "jaxgrad", "jaxgrad_models": ROOT / "models" / "jaxgrad_models"}
THEIRS = ("models", "experiments", "benchmarks", "tests", "configs")
TRAIN = f"""
import pathlib
import jax, jax.numpy as jnp
{"".join(f"import {name}{chr(10)}" for name in THEIRS)}
from models.net import WIDTH

found = [module.__file__ for module in ({", ".join(THEIRS)})]
pathlib.Path("imported.txt").write_text(chr(10).join(found))
example_args = (jnp.ones((WIDTH, 3)), jnp.ones((4, WIDTH)))


def step(w, x):
    return jax.grad(lambda w: jnp.sum((x @ w) ** 2))(w)
"""
SPACE = {
    "workload": {"layers": [[4, 3]], "batch": [2]},
    "space": {"rows": [2, 4], "cols": [2], "schedule": ["ws_only"]},
    "descent": {"starts": 1, "steps": 1},
}
CFG = """[general]
run_name = theirs
[architecture_presets]
ArrayHeight: 4
ArrayWidth: 4
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: ws
[run_presets]
InterfaceBandwidth: CALC
"""


class Installed(NamedTuple):
    """The wheel in an environment of its own: ``bin`` has its interpreter and its command."""

    wheel: Path
    bin: Path

    def run(self, folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment as its user would, this checkout nowhere on its path."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(
            [self.bin / name, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


def built(folder: Path) -> Path:
    """The wheel, by the hook that pip would call."""
    script = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What jaxgrad needs is lent by this interpreter's environment, whose own ``.pth`` files do not count there."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = built(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    lent = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    Path(where, "lent.pth").write_text("\n".join(lent) + "\n")
    options = ("--no-deps", "--no-index", "--no-compile", "--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", *options, wheel], check=True)
    return Installed(wheel, scripts)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own folder, with packages of the names that folders of this repository have."""
    folder = tmp_path_factory.mktemp("project")
    for name in THEIRS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text('OWNER = "the user"\n')
    (folder / "models" / "net.py").write_text("WIDTH = 5\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "small.toml").write_text(
        tomli_w.dumps(tree(machine={"rows": 4, "cols": 4}, sweep=[], published=[], variant=tree()["variant"][::2]))
    )
    (folder / "space.toml").write_text(tomli_w.dumps(SPACE))
    (folder / "array.cfg").write_text(CFG)
    (folder / "layers.csv").write_text("Layer, M, N, K,\nfirst, 4, 5, 6,\n")
    return folder


def test_nothing_but_the_two_packages_is_in_it_and_all_of_them(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    sources = [
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert sorted(names) == sorted(sources)
    for needed in (
        "hardware/technologies/horowitz-45nm.toml",
        "reports/report.html.jinja",
        "reports/tables.js",
        "reports/timeline/animation.html",
        "reports/timeline/animation.js",
    ):
        assert f"jaxgrad/{needed}" in names


def test_a_package_index_shows_no_link_that_leads_nowhere(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        (place,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = email.message_from_bytes(archive.read(place))
    text = about.get_payload()
    assert isinstance(text, str)
    assert about["Description-Content-Type"] == "text/markdown"
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []
    links = re.findall(r"(?<!!)\[([^\]]+)\]\(", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [words for words in links if words not in text] == []


def test_ours_are_imported_from_where_it_was_installed(installed: Installed, project: Path) -> None:
    done = installed.run(
        project, "python", "-c", "import jaxgrad, jaxgrad_models as ours; print(jaxgrad.__file__, ours.__file__)"
    )
    assert done.returncode == 0, done.stderr
    assert all(Path(path).is_relative_to(installed.bin.parent) for path in done.stdout.split())


@pytest.mark.parametrize(
    "typed",
    [
        "profile train.py:step --rows 4 --cols 4",
        "profile train:step --rows 4 --cols 4 --json",
        "train --model mlp --epochs 1 --batch-size 512 --rows 8 --cols 8 --out trained",
        "compare --model lenet --batch 2 --json",
        "run small.toml",
        "sweep space.toml",
        "search space.toml",
        "gemm --batch 2 --in-features 3 --out-features 2 --rows 2 --cols 2",
        "trace --batch 2 --in-features 3 --out-features 2 --rows 2 --cols 2 --out traced",
        "scalesim -c array.cfg -t layers.csv -i gemm -p reports",
    ],
    ids=lambda typed: "-".join(typed.split()[:2]),
)
def test_every_command_works_among_the_user_s_own_packages(typed: str, installed: Installed, project: Path) -> None:
    done = installed.run(project, "jaxgrad", *typed.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if typed.startswith("profile"):
        assert_theirs(project, (project / "imported.txt").read_text().splitlines())
        (project / "imported.txt").unlink()


def assert_theirs(project: Path, imported: Sequence[str]) -> None:
    assert [Path(path).resolve() for path in imported] == [
        (project / name / "__init__.py").resolve() for name in THEIRS
    ]
