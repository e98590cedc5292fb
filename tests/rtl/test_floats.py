"""The PE's floating-point units, compiled by Verilator, against XLA on CPU, bit for bit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest

MODULES = Path(__file__).resolve().parents[2] / "jaxgrad" / "rtl" / "modules"
RANDOM_PAIRS = 200_000

Words: TypeAlias = np.ndarray  # of uint32
Units: TypeAlias = Callable[[Words, Words], tuple[Words, Words]]

# Both units at once. The multiplier's operands are the upper halves: a bf16 word is a float32 without its lower half.
TOP = """
module floats (
    input  logic [31:0] a,
    input  logic [31:0] b,
    output logic [31:0] product,
    output logic [31:0] sum
);
  bf16_multiply multiplier (.a(a[31:16]), .b(b[31:16]), .product(product));
  fp32_add adder (.a(a), .b(b), .sum(sum));
endmodule
"""

BENCH = """
#include "Vfloats.h"
#include <cstdint>
#include <cstdio>

double sc_time_stamp() { return 0; }

// Pairs of words from standard input; product and sum of each to standard output.
int main() {
  Vfloats units;
  uint32_t pair[2];
  while (std::fread(pair, sizeof pair, 1, stdin) == 1) {
    units.a = pair[0];
    units.b = pair[1];
    units.eval();
    const uint32_t results[2] = {units.product, units.sum};
    if (std::fwrite(results, sizeof results, 1, stdout) != 1) return 1;
  }
  return 0;
}
"""

FRACTIONS = (0, 1, 2, 3, 0x3FFFFF, 0x400000, 0x400001, 0x7FFFFC, 0x7FFFFE, 0x7FFFFF, 0x010000, 0x7F0000)
EXPONENTS = (0, 1, 2, 3, 24, 63, 64, 102, 103, 104, 126, 127, 128, 150, 151, 152, 190, 191, 192, 253, 254, 255)


@pytest.fixture(scope="module")
def units(verilator: str, tmp_path_factory: pytest.TempPathFactory) -> Units:
    """The two units as a function of pairs of words; a warning of Verilator's is an error."""
    if not shutil.which("make"):
        pytest.skip("make, by which Verilator builds, is not installed")
    folder = tmp_path_factory.mktemp("floats")
    (folder / "floats.sv").write_text(TOP)
    (folder / "bench.cpp").write_text(BENCH)
    sources = ["floats.sv", MODULES / "bf16_multiply.sv", MODULES / "fp32_add.sv", "bench.cpp"]
    options = ["--cc", "--exe", "--build", "-j", "2", "-Wall", "-MAKEFLAGS", "OPT_FAST=-O1 OPT_GLOBAL=-O0 OPT_SLOW=-O0"]
    built = subprocess.run([verilator, *options, *sources], cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr

    def run(a: Words, b: Words) -> tuple[Words, Words]:
        pairs = np.stack([a, b], axis=1).tobytes()
        ran = subprocess.run([folder / "obj_dir" / "Vfloats"], input=pairs, capture_output=True, check=True)
        results = np.frombuffer(ran.stdout, np.uint32).reshape(a.size, 2)
        return results[:, 0], results[:, 1]

    return run


@jax.jit
def xla(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """XLA's product of the upper halves, bf16 words held in float32, and its sum of the float32 words, as bits."""
    upper = [jax.lax.bitcast_convert_type(word >> 16 << 16, jnp.float32) for word in (a, b)]
    whole = [jax.lax.bitcast_convert_type(word, jnp.float32) for word in (a, b)]
    product, total = upper[0] * upper[1], whole[0] + whole[1]
    return jax.lax.bitcast_convert_type(product, jnp.uint32), jax.lax.bitcast_convert_type(total, jnp.uint32)


def check(units: Units, a: Words, b: Words) -> None:
    with jax.default_device(jax.devices("cpu")[0]):
        wanted = [np.array(words) for words in xla(a, b)]
    for operation, got, want in zip(("product", "sum"), units(a, b), wanted, strict=True):
        want[np.isnan(want.view(np.float32))] = 0x7FC00000  # the units' one NaN
        apart = np.flatnonzero(got != want)
        shown = [f"{a[at]:08x} {b[at]:08x}: {got[at]:08x}, XLA: {want[at]:08x}" for at in apart[:5]]
        assert not apart.size, f"{operation} apart in {apart.size} of {a.size}, as in {shown}"


def all_pairs(words: Words) -> tuple[Words, Words]:
    return np.repeat(words, words.size), np.tile(words, words.size)


def words_of(sign: np.ndarray, exponent: np.ndarray, fraction: np.ndarray) -> Words:
    return (sign << 31 | exponent << 23 | fraction).astype(np.uint32)


def test_special_values(units: Units):
    """Zeros, subnormals, the ends of the normal range, infinities, NaNs, and fractions around ties, all with all."""
    words = words_of(*(axis.ravel() for axis in np.meshgrid((0, 1), EXPONENTS, FRACTIONS)))
    check(units, *all_pairs(words))


def test_random_patterns(units: Units):
    random = np.random.default_rng(0)
    check(units, *random.integers(0, 2**32, (2, RANDOM_PAIRS), dtype=np.uint32))


def test_cancellation(units: Units):
    """Operands of opposite signs whose exponents are 0 to 2 apart and whose fractions differ in few bits or in many."""
    random = np.random.default_rng(1)
    exponent = random.integers(1, 255, RANDOM_PAIRS)
    fraction = random.integers(0, 2**23, RANDOM_PAIRS)
    few = random.integers(-4, 5, RANDOM_PAIRS) << random.integers(0, 23, RANDOM_PAIRS)
    other = np.where(random.random(RANDOM_PAIRS) < 0.5, fraction + few, -fraction) & 0x7FFFFF
    sign = random.integers(0, 2, RANDOM_PAIRS)
    near = np.clip(exponent + random.integers(-2, 3, RANDOM_PAIRS), 0, 254)
    check(units, words_of(sign, exponent, fraction), words_of(1 - sign, near, other))


def test_ties(units: Units):
    """Smaller operands that end on half a unit in the last place of the larger one, and one bit to either side."""
    random = np.random.default_rng(2)
    distance = random.integers(0, 30, RANDOM_PAIRS)
    exponent = random.integers(31, 255, RANDOM_PAIRS)
    larger = words_of(random.integers(0, 2, RANDOM_PAIRS), exponent, random.integers(0, 2**23, RANDOM_PAIRS))
    half = np.where(distance > 0, 1 << np.maximum(distance - 1, 0), 0)  # of the larger one's last place
    whole = random.integers(0, 2**24, RANDOM_PAIRS) >> distance << distance
    fraction = np.where(distance < 24, whole | half, 0) + random.integers(-1, 2, RANDOM_PAIRS)
    smaller = words_of(random.integers(0, 2, RANDOM_PAIRS), exponent - distance, fraction & 0x7FFFFF)
    check(units, larger, smaller)
    check(units, smaller, larger)


def test_every_bf16_word(units: Units):
    """All 65,536 with ten others: zeros, a subnormal, the ends of the range, infinity, and what rounds into range."""
    others = np.array([0x0000, 0x8000, 0x0041, 0x0080, 0x3F7F, 0x3F80, 0x3FB5, 0x7EFF, 0xFF7F, 0x7F80]) << 16
    a, b = np.meshgrid(np.arange(65_536, dtype=np.uint32) << 16, others.astype(np.uint32))
    check(units, a.ravel(), b.ravel())
