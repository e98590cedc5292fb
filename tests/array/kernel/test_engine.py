"""jaxgrad.array.kernel: passes made into C++ give the scan's bits and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.array.kernel.cell import cell_of
from jaxgrad.array.kernel.engine import Engine
from jaxgrad.array.passes.base import Pass, Step, product, shift_down
from jaxgrad.array.passes.combinators import together
from jaxgrad.array.passes.output_stationary import output_stationary
from jaxgrad.array.passes.timeline import Order
from jaxgrad.array.passes.weight_stationary import weight_stationary
from jaxgrad.base import external

CACHE = Path(__file__).resolve().parents[3] / ".cache"
needs_compiler = pytest.mark.skipif(external.cpp_compiler() is None, reason="there is no C++ compiler")

ODD = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-25, 1e-25, 3e38]
"""Zeros, subnormals, products that are, and what is no number."""


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))


class Compensated(NamedTuple):
    acc: jax.Array
    lost: jax.Array


def compensated() -> Pass:
    """A user's own: two registers, and a word of several readers."""

    def step(registers: Compensated, h: Any, v: Any, wave: Any) -> Step:
        term = product(v, h) + registers.lost
        acc = registers.acc + term
        kept = jnp.where(v > 0, registers.lost, term - (acc - registers.acc))
        return Step(Compensated(acc, kept), v, v)

    def shift(registers: Compensated, slot: int, top: Any, enable: Any) -> tuple[Compensated, Any]:
        acc, bottom = shift_down(registers.acc, top, enable)
        lost, _ = shift_down(registers.lost, jnp.zeros_like(top), enable)
        return Compensated(acc, lost), bottom

    def init(rows: int, cols: int, dtype: Any) -> Compensated:
        return Compensated(jnp.zeros((rows, cols), dtype), jnp.zeros((rows, cols), dtype))

    return output_stationary()._replace(init=init, step=step, shift=shift)


WS, OS = weight_stationary(), output_stationary()


def engine(*parts: Pass, shadows: bool = False, order: Order = "alternate") -> Engine:
    return Engine(together(parts, shadows=shadows), order, shadows, coupled=False)


ENGINES = {
    "interleaved": (engine(WS, OS), "float32"),
    "interleaved, shadows": (engine(WS, OS, shadows=True), "float32"),
    "in turn, shadows": (engine(WS, OS, shadows=True, order="in turn"), "float32"),
    "integers, shadows": (engine(OS, WS, shadows=True), "int32"),
    "one's own": (engine(compensated()), "float32"),
}


def draw(seed: int, dtype: str, sizes: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "int32":
        return np.where(rng.random(sizes) < 0.2, 0, rng.integers(-(1 << 31), 1 << 31, sizes)).astype(dtype)
    return np.where(rng.random(sizes) < 0.2, rng.choice(ODD, sizes), rng.standard_normal(sizes)).astype(dtype)


def operands(seed: int, dtype: str, keeps: tuple[str, ...], sizes: tuple[int, int], widths: list[int]) -> Any:
    s, p = sizes
    drawn = [
        draw(seed + slot, dtype, (p if kept == "operand" else s, q))
        for slot, (kept, q) in enumerate(zip(keeps, widths, strict=True))
    ]
    return draw(seed - 1, dtype, (s, p)), tuple(drawn)


def assert_same(one: Any, other: Any) -> None:
    """The same bits, but that any NaN is one."""
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        numbers = [np.where(np.isnan(values), 0, values).tobytes() for values in map(np.asarray, (left, right))]
        assert numbers[0] == numbers[1]
        np.testing.assert_array_equal(left, right)


@needs_compiler
@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=2)
@given(data=st.data())
def test_the_same_bits_and_counts_as_the_scan(name: str, data: st.DataObject) -> None:
    tried, dtype = ENGINES[name]
    target = tried.kernel(dtype)
    assert target is not None
    length = st.integers(1, 24)
    s, p, rows, cols = (data.draw(length) for _ in range(4))
    widths = [data.draw(length) for _ in tried.pass_.keeps]
    arguments = operands(data.draw(st.integers(1, 1000)), dtype, tried.pass_.keeps, (s, p), widths)
    scan, kernel = (
        jax.jit(lambda h, rest, way=way: way(h, rest, rows, cols))(*arguments) for way in (tried.scan, tried.by(target))
    )
    assert_same(scan, kernel)


def test_no_kernel_where_waves_can_not_be_taken_by_rows() -> None:
    def squared(registers: Any, h: Any, v: Any, wave: Any) -> Step:
        return Step(registers, v, v, h * h)

    assert cell_of(OS._replace(step=squared), jnp.float32) is None  # h changes on its way
    assert cell_of(OS._replace(keeps=("nothing",)), jnp.float32) is None
    assert Engine(OS, "overlapped drain", shadows=False, coupled=True).kernel("float32") is None
    assert engine(OS).kernel("float16") is None


def test_no_kernel_of_what_no_gate_does() -> None:
    def rounded(registers: Any, h: Any, v: Any, wave: Any) -> Step:
        return OS.step(registers, h.astype(jnp.bfloat16).astype(h.dtype), v, wave)

    assert engine(OS._replace(step=rounded)).kernel("float32") is None


def test_no_kernel_of_a_float_sum_that_xla_rounds_as_it_likes() -> None:
    def fused(registers: Any, h: Any, v: Any, wave: Any) -> Step:
        return Step(registers._replace(acc=registers.acc + v * h), v, v)

    assert engine(OS._replace(step=fused)).kernel("float32") is None


@needs_compiler
def test_a_kernel_that_differs_from_the_scan_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One PE, as which a pass is traced, has no neighbours; the proof has."""

    def mixed(registers: Any, h: Any, v: Any, wave: Any) -> Step:
        return OS.step(registers, h, v[:, ::-1], wave)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert engine(OS._replace(step=mixed)).kernel("float32") is None
    assert [path.suffix for path in (tmp_path / "jaxgrad" / "kernels").iterdir()] == [".differs"]
