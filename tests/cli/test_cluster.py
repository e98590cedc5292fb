"""``--cluster``: what commands print and write is the same whoever does the work; what will not do is one line."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jaxgrad.cli import main
from tests.cli.test_sweep import SPACE
from tests.studies.cases import tree, write

SMALL = SPACE.replace("[[40, 24], [24, 10]]", "[[40, 24]]") + "[descent]\nstarts = 2\nsteps = 3\n"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of one, of a worker on this machine."""
    pytest.importorskip("distributed")
    from jaxgrad.cli import cache
    from jaxgrad.studies.executors import clusters

    with clusters.connected("local:1", 3, cache.turn_on) as dask:
        assert dask.client.scheduler is not None
        yield str(dask.client.scheduler.address)


@pytest.mark.parametrize(
    "command", ["run small.toml", "sweep space.toml", "search space.toml", "search space.toml --method descents"]
)
def test_a_command_writes_what_it_writes_alone(
    command: str, scheduler: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(elsewhere, tree(sweep=[], published=[]))
    (elsewhere / "space.toml").write_text(SMALL)
    out = "out" if command.startswith("run") else "out/table.csv"
    written = []
    for options in (["--cluster", scheduler, "--store", "a"], ["--store", "b"]):
        assert main([*command.split(), "--out", out, *options]) == 0
        tables = {path.name: path.read_bytes() for path in (elsewhere / "out").rglob("*.csv")}
        written.append((tables, capsys.readouterr().out))
        shutil.rmtree(elsewhere / "out")
    assert written[0] == written[1]
    assert written[0][0]
    names = [{path.relative_to(elsewhere / store) for path in (elsewhere / store).rglob("*.*")} for store in "ab"]
    assert names[0] == names[1]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


SWEEP = ["sweep", "space.toml", "--cluster"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("slurm", "--cluster: got 'slurm'; give local:N, the address of a Dask scheduler"),
        ("nowhere.toml", "--cluster: got 'nowhere.toml'; there is no such file"),
        ("kind.toml", r"kind in kind.toml: got 'slrum'; choose one of .*slurm \(did you mean 'slurm'\?\)"),
        ("keys.toml", r"keys in keys.toml: got some that OARCluster refuses \(.*'quue'.*\); see dask-jobqueue"),
        ("system.toml", "kind in system.toml: got no sbatch here; type it where jobs are submitted"),
        ("workers.toml", "workers in workers.toml: got 0; give a whole number of at least 1"),
        (
            "tcp://127.0.0.1:PORT",
            r"--cluster: got .*, where no Dask scheduler answers \(Connection refused\); start one",
        ),
        ("tcp://127.0.0.1:x", "--cluster: got 'tcp://127.0.0.1:x', where no Dask scheduler answers"),
        ("tcpp://127.0.0.1:1", "--cluster: got 'tcpp://127.0.0.1:1', where no Dask scheduler answers"),
    ],
)
def test_what_will_not_do_is_one_line(
    where: str, said: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(elsewhere))
    (elsewhere / "oarsub").touch(stat.S_IRWXU)
    files = {
        "space.toml": SMALL,
        "kind.toml": 'kind = "slrum"\n',
        "keys.toml": 'kind = "oar"\ncores = 1\nmemory = "1GB"\nquue = "x"\n',
        "system.toml": 'kind = "slurm"\n',
        "workers.toml": 'kind = "slurm"\nworkers = 0\n',
    }
    for name, text in files.items():
        (elsewhere / name).write_text(text)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: nobody answers
        port = str(taken.getsockname()[1])
        assert re.match(f"error: {said}", refused([*SWEEP, where.replace("PORT", port)], capsys))
    assert not (elsewhere / "results" / "space.csv").exists()


def test_a_port_at_which_something_else_is_silent_is_given_up(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    from jaxgrad.studies.executors import clusters

    monkeypatch.setattr(clusters, "CONNECTING_S", 0.5)
    (elsewhere / "space.toml").write_text(SMALL)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        said = refused([*SWEEP, address], capsys)
    assert time.monotonic() - began < 10
    assert said.startswith(
        f"error: --cluster: got '{address}', where no Dask scheduler answers (no answer within 0.5 s);"
    )


@pytest.mark.parametrize(("missing", "where"), [("distributed", "local:2"), ("dask_jobqueue", "jobs.toml")])
def test_without_the_extra_it_says_what_to_install(
    missing: str, where: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(missing)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "jaxgrad.studies.executors.dask", raising=False)
    (elsewhere / "space.toml").write_text(SMALL)
    (elsewhere / "jobs.toml").write_text('kind = "slurm"\n')
    said = refused([*SWEEP, where], capsys)
    assert said == f"error: --cluster: got '{where}'; pip install 'jaxgrad[cluster]' first"


def test_jobs_of_a_batch_system_do_it(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slurm's own commands, as far as they are used: a job is a process of this machine."""
    pytest.importorskip("dask_jobqueue")
    (elsewhere / "space.toml").write_text(SMALL)
    (elsewhere / "slurm.toml").write_text(
        'kind = "slurm"\nworkers = 1\ncores = 1\nmemory = "2GB"\nwalltime = "00:10:00"\ninterface = "lo"\n'
        f'python = "{sys.executable}"\n'
    )
    commands = elsewhere / "bin"
    commands.mkdir()
    for name, script in {
        "sbatch": f'cp "$1" {elsewhere}/job.sh\nsetsid sh {elsewhere}/job.sh >{elsewhere}/log 2>&1 &\n'
        f"echo $! >{elsewhere}/pid\n"
        'echo "Submitted batch job $!"\n',
        "scancel": f'echo "$1" >>{elsewhere}/cancelled\nkill -- -"$1"\n',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}")
        (commands / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "models")]))
    assert main([*SWEEP, "slurm.toml", "--out", "a.csv"]) == 0, (elsewhere / "log").read_text()
    assert main(["sweep", "space.toml", "--out", "b.csv", "--store", "b"]) == 0
    assert (elsewhere / "a.csv").read_bytes() == (elsewhere / "b.csv").read_bytes()
    job = (elsewhere / "job.sh").read_text()
    assert "#SBATCH -t 00:10:00" in job
    assert "export NPROC=1" in job
    assert (elsewhere / "cancelled").read_text().split() == (elsewhere / "pid").read_text().split()
