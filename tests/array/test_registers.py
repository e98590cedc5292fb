"""jaxgrad.array.registers: which of scan and kernel runs, and that it makes no other difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxgrad.array import registers
from jaxgrad.array.kernel.engine import Engine
from jaxgrad.array.passes.combinators import together
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.base import external
from jaxgrad.base.errors import InputError

CACHE = Path(__file__).resolve().parents[2] / ".cache"
ENGINE, SHADOWED = (
    Engine(together([weight_stationary(), output_stationary()], shadows=shadows), "alternate", shadows, False)
    for shadows in (False, True)
)
needs_compiler = pytest.mark.skipif(external.cpp_compiler() is None, reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))


def drawn(*lead: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    rng = np.random.default_rng(0)
    h, w, x = (jnp.asarray(rng.standard_normal((*lead, *size)), jnp.float32) for size in ((5, 4), (4, 6), (5, 6)))
    return h, w, x


def run(h: Any, w: Any, x: Any) -> Any:
    return registers.run(ENGINE, h, (w, x), 3, 3)


def calls(lowered: Any) -> bool:
    """Whether a lowered function calls a kernel."""
    return "jaxgrad_registers" in lowered.as_text()


def lowered(*arguments: Any, rows: int = 3, engine: Engine = ENGINE) -> Any:
    return jax.jit(lambda h, *rest: registers.run(engine, h, rest, rows, rows)).lower(*arguments)


def both(monkeypatch: pytest.MonkeyPatch, function: Any, *arguments: Any, kernel: bool = True) -> None:
    """A function of ``run`` gives the same by scan and by kernel."""
    found = []
    for choice in ("scan", "kernel"):
        monkeypatch.setenv(registers.VARIABLE, choice)
        made = jax.jit(lambda *given: function(*given)).lower(*arguments)
        assert calls(made) == (kernel and choice == "kernel")
        found.append(made.compile()(*arguments))
    for one, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_array_equal(one, other)


@needs_compiler
def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    both(monkeypatch, run, *drawn())
    monkeypatch.delenv(registers.VARIABLE)
    assert not calls(lowered(*drawn()))  # too short to pay
    shapes = [jax.ShapeDtypeStruct(size, jnp.float32) for size in ((10_000, 300), (300, 300), (10_000, 300))]
    assert calls(lowered(*shapes, rows=16))
    fewer = [jax.ShapeDtypeStruct(size, jnp.float32) for size in ((1_000, 300), (300, 300), (1_000, 300))]
    assert not calls(lowered(*fewer, rows=16))
    assert calls(lowered(*fewer, rows=16, engine=SHADOWED))  # of which the scan takes longer


def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registers.VARIABLE, "fast")
    with pytest.raises(InputError, match="JAXGRAD_REGISTERS: got 'fast'"):
        run(*drawn())


def test_without_a_compiler_the_scan_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "cpp_compiler", lambda: None)
    monkeypatch.setenv(registers.VARIABLE, "kernel")
    assert not calls(lowered(*drawn()))


@needs_compiler
def test_batches_and_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    both(monkeypatch, jax.vmap(run, (0, None, 0)), drawn(2)[0], drawn()[1], drawn(2)[2])

    def loss(h: Any, w: Any, x: Any) -> Any:
        results, _ = run(h, w, x)
        return sum((result**2).sum() for result in results)

    both(monkeypatch, jax.grad(loss), *drawn(), kernel=False)  # what has a derivative is the scan


@needs_compiler
def test_on_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = Mesh(np.array(jax.devices()[:2]), ("d",))
    split = PartitionSpec("d")
    mapped = jax.shard_map(jax.vmap(run), mesh=mesh, in_specs=split, out_specs=split)
    both(monkeypatch, mapped, *drawn(4), kernel=False)  # what varies over devices, too
    sharded = [jax.device_put(each, jax.NamedSharding(mesh, split)) for each in drawn(4)]
    both(monkeypatch, jax.vmap(run), *sharded)
