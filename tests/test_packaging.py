"""What is told of jaxgrad beside its code: extras, versions, the citation, the workflow, the image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT

pytest.importorskip("hatch_vcs")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
APART = {"all", "browser", "cuda", "dev", "docs", "field", "test"}
"""Extras that ``all`` leaves out: itself, one that installs on some machines alone, those of jaxgrad's developers."""


AUTHORS = ["Unnikrishnan", "Parhi"]


def workflow() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))


def made(text: str) -> set[str]:
    """The targets that ``make`` is called with."""
    return set(re.findall(r"\bmake ([a-z]+)", text))


def test_the_extra_of_all_has_the_users_extras() -> None:
    (requirement,) = EXTRAS["all"]
    named = re.fullmatch(r"jaxgrad\[([a-z,]+)\]", requirement)
    assert named
    assert set(named[1].split(",")) == set(EXTRAS) - APART


def test_texts_name_extras_that_there_are() -> None:
    files = [ROOT / "README.md", *(path for room in ("jaxgrad", "docs", "tests") for path in (ROOT / room).rglob("*"))]
    named = {
        extra
        for file in files
        if file.suffix in (".py", ".md")
        for extras in re.findall(r"jaxgrad\[([a-z,]+)\]|-e '?\.\[([a-z,]+)\]", file.read_text(encoding="utf-8"))
        for extra in "".join(extras).split(",")
    }
    assert {"cuda", "log", "onnx", "parquet"} <= named
    assert named <= set(EXTRAS)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The little that a version is made from, in a repository of its own with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitattributes", ".git_archival.txt"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a change")


def version(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "hatchling", "version"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_version_is_that_of_the_last_tag(repository: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"0\.1\.dev1\+g[0-9a-f]+", version(repository))
    git(repository, "tag", "v1.2.3")
    git(repository, "tag", "paper-2026")
    assert version(repository) == "1.2.3"
    archive = tmp_path / "release.zip"
    git(repository, "archive", "--output", str(archive), "v1.2.3")
    (unpacked := tmp_path / "unpacked").mkdir()
    shutil.unpack_archive(archive, unpacked)
    assert version(unpacked) == "1.2.3"
    commit(repository)
    assert re.fullmatch(r"1\.2\.4\.dev1\+g[0-9a-f]+", version(repository))


def test_a_copy_without_git_has_a_version_too_or_the_one_that_the_image_is_told(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    assert version(repository) == "0.0"
    (variable,) = re.findall(
        r"^RUN (\w+)=\"\$VERSION\"", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert version(repository, **{variable: "1.2.4.dev3+g0a1b2c3"}) == "1.2.4.dev3+g0a1b2c3"


def test_the_citation_has_no_version_to_go_stale_and_the_papers_of_the_contract() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert not citation.keys() & {"version", "date-released", "commit"}
    assert citation["title"].startswith(PROJECT["name"])
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    earlier, later = citation["references"]
    assert [[author["family-names"] for author in each["authors"]] for each in (earlier, later)] == [AUTHORS, AUTHORS]
    told = f"({' & '.join(AUTHORS)}, ISCAS {earlier['year']}; InterGrad, IEEE TCAS-I {later['year']})"
    assert told in (ROOT / "jaxgrad/DESIGN.md").read_text(encoding="utf-8")


def test_the_workflow_makes_what_ci_does_on_every_python() -> None:
    jobs = workflow()["jobs"]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    steps = made("\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"]))
    assert made((ROOT / ".ci/run").read_text(encoding="utf-8")) <= steps <= set(targets)
    supported = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert [each["python"] for each in jobs["test"]["strategy"]["matrix"]["include"]] == supported
    (setup,) = [step for step in jobs["wheel"]["steps"] if "setup-python" in step.get("uses", "")]
    assert sorted(setup["with"]["python-version"].split()) == supported
    assert set(jobs["release"]["needs"]) == set(jobs) - {"release"}


def test_the_images_and_the_codespace_are_of_what_there_is() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert {"jaxgrad", "models", "pyproject.toml", "README.md", "LICENSE"} == sent
    assert set(re.findall(r"--extra (\w+)", dockerfile)) == {"cuda"} <= set(EXTRAS)
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert f"AS {container['build']['target']}\n" in dockerfile
    assert made(container["postCreateCommand"]) == {"setup"}
