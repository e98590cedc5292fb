"""Randomized automatic differentiation of convolutions, against its definition: x with sites left out, and XLA."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward
from jaxgrad.array.emulation import FIDELITIES
from jaxgrad.autodiff import LayerCounters, conv_general_dilated, new_tap, read_tap
from jaxgrad.autodiff.convolution import ConvGeneralDilated
from jaxgrad.autodiff.estimators import EXACT, Estimator, describe, rad
from jaxgrad.autodiff.estimators.rad import MODES
from jaxgrad.autodiff.layer import GemmRun
from jaxgrad.transform import Rule, emulate_function
from tests.autodiff.truth import as_dicts
from tests.layers import integers

ARRAY = Accelerator(3, 4)
NATIVE = Emulation(ARRAY)
KEY = jax.random.key(5)
BATCH, IMAGE, CHANNELS, OUT = 2, (5, 4), 4, 6
SITES, KEPT = 20, 6
KEEP = 0.3
SAMPLES = 2000
LAYOUT = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    groups: int = 1
    stride: int = 1
    dilation: int = 1
    padding: Any = "SAME"

    def operands(self) -> tuple[Array, Array]:
        kernel = (3, 2, CHANNELS // self.groups, OUT)
        return jnp.asarray(integers(0, BATCH, *IMAGE, CHANNELS)), jnp.asarray(integers(1, *kernel))

    def options(self) -> dict[str, Any]:
        return {"dimension_numbers": LAYOUT, "rhs_dilation": (self.dilation,) * 2, "feature_group_count": self.groups}

    def plain(self, x: Array, w: Array) -> Array:
        return lax.conv_general_dilated(x, w, (self.stride,) * 2, self.padding, **self.options())

    def layer(
        self, x: Array, w: Array, tap: Array, key: Any, estimator: Estimator, emulation: Emulation = NATIVE
    ) -> Array:
        return conv_general_dilated(
            x, w, (self.stride,) * 2, self.padding, tap,
            emulation=emulation, estimator=estimator, key=key, **self.options(),
        )  # fmt: skip

    def contraction(self) -> ConvGeneralDilated:
        return ConvGeneralDilated.of(*self.operands(), (self.stride,) * 2, self.padding, **self.options())


PLAIN = Geometry()
GEOMETRIES = (
    PLAIN,
    Geometry(groups=2, stride=2, padding=((2, 2), (2, 2))),  # more outputs than samples, though strided
    Geometry(dilation=2, padding=((1, 2), (2, 0))),
    Geometry(stride=3, padding="VALID"),  # fewer outputs than samples
)


@functools.partial(jax.jit, static_argnums=(0, 1, 3))
def run(
    geometry: Geometry, estimator: Estimator, key: Any, emulation: Emulation = NATIVE
) -> tuple[Array, Array, Array, LayerCounters]:
    """dY, dX, dW and counters."""
    x, w = geometry.operands()
    out, transpose = jax.vjp(
        functools.partial(geometry.layer, key=key, estimator=estimator, emulation=emulation), x, w, new_tap()
    )
    dy = jnp.asarray(integers(3, *out.shape))
    dx, dw, tap = transpose(dy)
    return dy, dx, dw, read_tap(tap)


def by_definition(geometry: Geometry, mode: str) -> Array:
    """dW by XLA of what stands for x."""
    x, w = geometry.operands()
    by_site = np.asarray(x).reshape(BATCH, SITES, CHANNELS)
    if mode == "project":
        sketch = np.asarray(jax.random.rademacher(KEY, (SITES, KEPT), jnp.float32))
        estimate = np.einsum("sk,tk,btc->bsc", sketch, sketch, by_site) / KEPT
    else:
        shape = (KEPT,) if mode == "same" else (BATCH, KEPT, CHANNELS)
        drawn = np.asarray(jax.random.randint(KEY, shape, 0, SITES))
        drawn = np.broadcast_to(
            drawn.reshape(-1, KEPT, drawn.shape[-1] if mode == "different" else 1), (BATCH, KEPT, CHANNELS)
        )
        times = (drawn[:, :, None] == np.arange(SITES)[:, None]).sum(1)
        estimate = by_site * times * SITES / KEPT
    out, transpose = jax.vjp(lambda w: geometry.plain(jnp.asarray(estimate, jnp.float32).reshape(x.shape), w), w)
    return transpose(jnp.asarray(integers(3, *out.shape)))[0]


@pytest.mark.parametrize(
    ("geometry", "mode"),
    [*((geometry, "same") for geometry in GEOMETRIES), (GEOMETRIES[1], "different"), (GEOMETRIES[1], "project")],
)
def test_dx_is_exact_and_dw_that_of_the_definition(geometry: Geometry, mode: str) -> None:
    _, dx, dw, _ = run(geometry, rad(KEEP, mode), KEY)
    _, exact, _, _ = run(geometry, EXACT, None)
    np.testing.assert_array_equal(dx, exact)
    np.testing.assert_allclose(dw, by_definition(geometry, mode), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_unbiased(mode: str) -> None:
    x, w = PLAIN.operands()
    dy, _, exact, _ = run(PLAIN, EXACT, None)

    def gradient(key: Array) -> Array:
        return jax.vjp(lambda w: PLAIN.layer(x, w, new_tap(), key, rad(KEEP, mode)), w)[1](dy)[0]

    samples = np.asarray(jax.jit(jax.vmap(gradient))(jax.random.split(jax.random.key(0), SAMPLES)), np.float64)
    error = samples.std(0, ddof=1) / math.sqrt(SAMPLES)
    assert error.min() > 0
    assert np.abs((samples.mean(0) - np.asarray(exact)) / error).max() < 4


DX, DW, Y = ("dx",), ("dw",), ("y",)
LAYER = PLAIN.contraction().gemm
OF_SITES = Gemm(BATCH * KEPT, CHANNELS, 6 * OUT)
POSED = {
    "same": (((LAYER, Y),), ((LAYER, DX), (OF_SITES, DW))),
    "different": (((LAYER, Y),), ((LAYER, DX + DW),)),
    "project": (
        ((LAYER, Y), (Gemm(BATCH * CHANNELS, SITES, KEPT), Y)),
        ((Gemm(BATCH * CHANNELS, KEPT, SITES), Y), (LAYER, DX + DW)),
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_counters_are_the_closed_forms_of_what_it_poses(mode: str, fidelity: str) -> None:
    emulation = Emulation(ARRAY, fidelity=fidelity)
    _, _, dw, taken = run(PLAIN, rad(KEEP, mode), KEY, emulation)
    np.testing.assert_allclose(dw, by_definition(PLAIN, mode), rtol=1e-5, atol=1e-3)
    for measured, posed in zip(as_dicts(taken), POSED[mode], strict=True):
        parts = [
            (count_forward(gemm, ARRAY) if results == Y else count(gemm, ARRAY, dx="dx" in results, dw="dw" in results))
            for gemm, results in posed
        ]
        for name in measured.keys() - {"effectual_macs"}:
            assert measured[name] == sum(part.as_dict()[name] for part in parts), name


def test_so_many_pixels_of_each_channel_are_kept() -> None:
    for mode in MODES:
        described = describe(rad(KEEP, mode), PLAIN.contraction())
        assert described.stored_words == BATCH * KEPT * CHANNELS


def test_all_of_it_is_exact_bit_for_bit() -> None:
    ours, exact = run(PLAIN, rad(1.0, "same"), None), run(PLAIN, EXACT, None)
    np.testing.assert_array_equal(ours[2], exact[2])
    assert as_dicts(ours[3]) == as_dicts(exact[3])


def test_where_fewer_outputs_than_samples_read_x_its_whole_dw_is_taken() -> None:
    contraction = GEOMETRIES[3].contraction()
    assert describe(rad(KEEP, "same"), contraction).backward == (
        GemmRun(contraction.gemm, 1, ("dx", "dw"), updates=True),
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_transposed_convolution(mode: str) -> None:
    """Its sites are the pixels between which zeros are inserted."""
    x, w = PLAIN.operands()
    options = {"lhs_dilation": (2, 2), "dimension_numbers": LAYOUT}

    def plain(x: Array, w: Array) -> Array:
        return lax.conv_general_dilated(x, w, (1, 1), ((1, 1), (1, 1)), **options)

    out, exact = jax.vjp(plain, x, w)
    dy = jnp.asarray(integers(3, *out.shape))
    on_array = emulate_function(plain, [Rule("*", NATIVE, rad(KEEP, mode))], key=KEY)
    dx, dw = jax.jit(lambda x, w: jax.vjp(lambda x, w: on_array(x, w)[0], x, w)[1](dy))(x, w)
    np.testing.assert_array_equal(dx, exact(dy)[0])
    assert dw.shape == w.shape
    means = jax.jit(
        jax.vmap(
            lambda key: jax.vjp(
                lambda w: emulate_function(plain, [Rule("*", NATIVE, rad(KEEP, mode))], key=key)(x, w)[0], w
            )[1](dy)[0]
        )
    )(jax.random.split(KEY, 500))
    error = means.std(0, ddof=1) / math.sqrt(500)
    assert np.abs((means.mean(0) - exact(dy)[1]) / error).max() < 4
