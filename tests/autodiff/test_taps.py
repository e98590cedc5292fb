from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgrad.array.counters import NAMES, Counters
from jaxgrad.autodiff import LayerCounters, new_tap, read_tap
from jaxgrad.autodiff.taps import tap_cotangent

LARGE = {name: (1 << 62) - 12345 * index for index, name in enumerate(NAMES)}
ODD = {name: 0xFF00FF00FF00FF0 + index for index, name in enumerate(NAMES)}


def test_a_cotangent_carries_64_bits() -> None:
    counters = read_tap(tap_cotangent(Counters.of(**LARGE), Counters.of(**ODD)))
    assert counters.forward.as_dict() == LARGE
    assert counters.backward.as_dict() == ODD


def test_65536_cotangents_add_up_exactly() -> None:
    one = Counters.of(cycles=(1 << 46) - 1, macs=0xFFFF)  # limbs of 255
    cotangent = tap_cotangent(one, Counters.zero())
    summed = jax.lax.fori_loop(0, 1 << 16, lambda _, sum: sum + cotangent, new_tap())
    forward = read_tap(summed).forward.as_dict()
    assert (forward["cycles"], forward["macs"]) == (((1 << 46) - 1) << 16, 0xFFFF << 16)


def test_leading_axes_add_up() -> None:
    cotangent = tap_cotangent(Counters.of(cycles=1 << 40), Counters.of(macs=3))
    stacked = jnp.broadcast_to(cotangent, (2, 3, *cotangent.shape))
    assert new_tap(2, 3).shape == stacked.shape
    counters = read_tap(stacked)
    assert counters.forward.as_dict()["cycles"] == 6 << 40
    assert counters.backward.as_dict()["macs"] == 18


def test_counters_of_layers_add_up() -> None:
    one = LayerCounters(Counters.of(cycles=1), Counters.of(cycles=1 << 33))
    both = sum([one, one])
    assert isinstance(both, LayerCounters)
    assert both.forward.as_dict()["cycles"] == 2
    assert both.backward.as_dict()["cycles"] == 1 << 34
    assert both.total.as_dict()["cycles"] == 2 + (1 << 34)
