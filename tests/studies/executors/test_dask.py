"""Sweeps on a Dask cluster to which things happen: the same table, byte for byte, and no chunk computed twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.cli import cache
from jaxgrad.studies.executors.here import Here
from jaxgrad.studies.store import Store
from tests.command import COMMAND, ENVIRONMENT
from tests.studies.executors.counting import Counted

pytest.importorskip("distributed")
pytest.importorskip("fsspec")
from jaxgrad.base import remote
from jaxgrad.studies.executors import clusters
from jaxgrad.studies.executors import dask as module
from jaxgrad.studies.executors.dask import Dask

SLOW_S = 0.1


@pytest.fixture(scope="module")
def local() -> Iterator[Dask]:
    """Two processes of this machine."""
    with clusters.connected("local:2", 3, cache.turn_on) as dask:
        yield dask


def address_of(dask: Dask) -> str:
    assert dask.client.scheduler is not None
    return str(dask.client.scheduler.address)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table that this process makes alone."""
    return Counted(tmp_path_factory.mktemp("serial")).table("serial.csv", Here())


def assert_each_once(work: Counted) -> None:
    assert work.counts("ended") == dict.fromkeys(work.counts("ended"), 1)
    assert len(work.counts("ended")) == 12


@contextmanager
def another_client(script: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, at work on the sweep in a folder; it ends with the block."""
    code = "import sys; from pathlib import Path; from tests.studies.executors.counting import Counted\n" + script
    command = [sys.executable, "-c", code, str(folder), *arguments]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        assert process is None or process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def test_workers_make_the_same_table(local: Dask, serial: bytes, tmp_path: Path) -> None:
    work = Counted(tmp_path)
    assert work.table("a.csv", local) == serial
    assert_each_once(work)
    assert work.table("b.csv", local) == work.table("c.csv", Here()) == serial
    assert_each_once(work)


def test_a_worker_is_killed(local: Dask, serial: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    work = Counted(tmp_path, SLOW_S, deadly="40x24:12:True")
    assert work.table("a.csv", local) == serial
    assert_each_once(work)
    assert work.counts("began")["40x24:12:True"] == 2


def test_a_client_is_killed_and_comes_back(local: Dask, serial: bytes, tmp_path: Path) -> None:
    work = Counted(tmp_path, SLOW_S)
    script = (
        "from jaxgrad.studies.executors import clusters\n"
        "with clusters.connected(sys.argv[2], 3, int) as dask:\n"
        f"    Counted(Path(sys.argv[1]), {SLOW_S}).table('x.csv', dask)\n"
    )
    with another_client(script, tmp_path, address_of(local)) as client:
        wait_for(lambda: len(work.counts("ended")) >= 2, client)
        client.kill()
        client.wait()
    assert 2 <= len(work.counts("ended")) < 12
    assert work.table("a.csv", local) == serial
    assert_each_once(work)
    assert work.counts("began") == work.counts("ended")
    assert not (tmp_path / "x.csv").exists()


def test_several_clients_on_one_store_share_the_work(local: Dask, serial: bytes, tmp_path: Path) -> None:
    """Two of one scheduler, one that is a process alone, and this one."""
    work, address = Counted(tmp_path, SLOW_S), address_of(local)
    script = (
        "from jaxgrad.studies.executors.here import Here\n"
        f"sys.stderr.write(str(len(Counted(Path(sys.argv[1]), {SLOW_S}).table('x.csv', Here()))))"
    )
    with another_client(script, tmp_path) as alone, clusters.connected(address, 3, cache.turn_on) as other:
        wait_for(lambda: work.counts("began"), alone)
        with ThreadPoolExecutor() as pool:
            tables = list(pool.map(work.table, ("a.csv", "b.csv", "c.csv"), (local, other, Here())))
        assert alone.communicate()[1] == str(len(serial))
    assert tables == [serial] * 3
    assert (tmp_path / "x.csv").read_bytes() == serial
    assert_each_once(work)
    assert work.counts("began") == work.counts("ended")


def test_a_scheduler_is_killed(local: Dask, serial: bytes, tmp_path: Path) -> None:
    work = Counted(tmp_path, SLOW_S)
    script = (
        "from distributed import LocalCluster\n"
        "import time\n"
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(1, threads_per_worker=1, dashboard_address=None, processes=False)\n"
        "    (Path(sys.argv[1]) / 'address').write_text(cluster.scheduler_address)\n"
        "    time.sleep(99)\n"
    )
    script = script.replace("processes=False", "processes=False, protocol='tcp', host='127.0.0.1'")
    address = tmp_path / "address"
    with another_client(script, tmp_path) as scheduler:
        wait_for(lambda: address.exists() and address.read_text(), scheduler)
        with clusters.connected(address.read_text(), 3, cache.turn_on) as dask, ThreadPoolExecutor() as pool:
            running = pool.submit(work.table, "x.csv", dask)
            wait_for(lambda: len(work.counts("ended")) >= 2, scheduler)
            scheduler.kill()
            with pytest.raises(InputError, match=r"--cluster: got 'tcp://.*', whose scheduler has gone; what is done"):
                running.result(timeout=60)
    assert 2 <= len(work.counts("ended")) < 12
    assert work.table("a.csv", local) == serial
    assert_each_once(work)
    assert not (tmp_path / "x.csv").exists()


def test_what_workers_refuse_is_the_error_that_this_process_would_have(local: Dask, tmp_path: Path) -> None:
    work = Refusing(tmp_path)
    said = []
    for executor in (Here(), local):
        with pytest.raises(InputError) as raised:
            list(work.results(executor))
        said.append(str(raised.value))
    assert said[0] == said[1] == "rows: got 2; give more"


class Refusing(Counted):
    def run(self, part: object) -> dict[str, list[object]]:
        raise InputError("rows", 2, "give more")


def test_a_place_that_workers_do_not_share_is_one_line(local: Dask, tmp_path: Path) -> None:
    work = Counted(tmp_path)
    work.store = Store(remote.Remote("memory://of-each-process-its-own"))
    with pytest.raises(InputError, match=r"store: got a place that the cluster's workers do not share .* memory://"):
        list(work.results(local))


def test_a_full_worker_drops_what_it_compiled(local: Dask) -> None:
    for full, times in ((1.0, 1), (0.0, 2)):
        assert local.client.submit(times_traced, full).result() == times


def times_traced(full: float) -> int:
    """On a worker: how often a function is traced that is called before and after a task's end."""
    traced = []

    @jax.jit
    def function(x: jax.Array) -> jax.Array:
        traced.append(x)
        return x

    function(jnp.ones(()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_FULL", full)
        module._make_room()
    function(jnp.ones(()))
    return len(traced)


def test_ctrl_c_ends_the_command_and_its_workers(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(
        'workload = { networks = ["resnet50"], batch = [4] }\n'
        "space = { rows = [8, 16], cols = [8, 16], sram_kib = [256, 512], dram_gb_per_s = [16.0] }\n"
    )
    process = subprocess.Popen(
        [*COMMAND, "sweep", "space.toml", "--cluster", "local:2", "--out", "a.csv"],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "dashboard is at http://" in process.stderr.readline()
    time.sleep(1)  # a worker is at a chunk, and compiles
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = process.communicate()[1]
    assert time.monotonic() - began < 2
    assert process.returncode == 130
    again = "go on with: jaxgrad sweep space.toml --out a.csv --cluster local:2"
    assert re.fullmatch(rf"interrupted; what is done is kept; {re.escape(again)}\n", said)
    wait_for(lambda: not session_of(process.pid))
    assert not (tmp_path / "a.csv").exists()


def session_of(leader: int) -> list[str]:
    """The processes of a session."""
    listed = subprocess.run(["ps", "-o", "args=", "-s", str(leader)], capture_output=True, text=True)
    return listed.stdout.splitlines()
