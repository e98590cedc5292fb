from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jax import Array, lax

from jaxgrad import Accelerator, Emulation
from jaxgrad.flax import Tap, layers_not_emulated, put_on_array
from jaxgrad.flax.layers import hooks
from tests.flax.models import MODELS, Attention, Ensemble, Scanned, Shared
from tests.refusals import Refusal, assert_refused

EMULATION = Emulation(Accelerator(3, 4))


class Odd(nnx.Module):
    """Layers the array cannot take, among others it can, and some that contract nothing."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.plain = nnx.Conv(2, 2, (3, 3), rngs=rngs)
        self.transposed = nnx.ConvTranspose(2, 2, (3, 3), rngs=rngs)
        self.dilated = nnx.Conv(2, 2, (3, 3), input_dilation=(1, 2), rngs=rngs)
        self.custom = nnx.Linear(2, 2, dot_general=lambda *args, **_: lax.dot_general(*args[:3]), rngs=rngs)
        self.customs = nnx.LinearGeneral(2, 2, dot_general_cls=lambda: lax.dot_general, rngs=rngs)
        self.lora = nnx.LoRA(2, 1, 2, base_module=nnx.Linear(2, 2, rngs=rngs), rngs=rngs)
        self.embedding = nnx.Embed(3, 2, rngs=rngs)
        self.norm = nnx.BatchNorm(2, rngs=rngs)
        self.own = nnx.Param(jnp.ones((2, 2)))
        self.scale = nnx.Param(jnp.ones(2))

    def __call__(self, x: Array) -> Array:
        return self.plain(x) @ self.own


NOT_EMULATED = [
    ("custom", "Linear with a dot_general of its own"),
    ("customs", "LinearGeneral with a dot_general of its own"),
    ("dilated", "Conv with input_dilation (1, 2)"),
    ("lora", "LoRA"),
    ("model", "Odd"),
    ("transposed", "ConvTranspose"),
]


def hooked(model: nnx.Module) -> dict[str, Any]:
    return dict(hooks(model))


def quietly(model: nnx.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        put_on_array(model, EMULATION)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"Attention"}))
def test_a_model_of_layers_that_are_emulated_gives_no_warning(name: str) -> None:
    model = MODELS[name](nnx.Rngs(0))
    quietly(model)
    assert hooked(model)
    assert layers_not_emulated(model) == []


def test_layers_that_are_not_emulated_are_named_in_one_warning() -> None:
    model = Odd(nnx.Rngs(0))
    with pytest.warns(UserWarning, match="not emulated") as caught:
        assert put_on_array(model, EMULATION) is model
    (warning,) = caught
    assert all(f"{path} ({kind})" in str(warning.message) for path, kind in NOT_EMULATED)
    assert layers_not_emulated(model) == layers_not_emulated(Odd(nnx.Rngs(0))) == NOT_EMULATED
    assert set(hooked(model)) == {"lora.base_module", "plain"}


def test_attention_runs_its_projections_on_the_array_and_says_what_it_does_not() -> None:
    model = Attention(nnx.Rngs(0))
    with pytest.warns(UserWarning, match=r"attention \(MultiHeadAttention: the products of its activations\)"):
        put_on_array(model, EMULATION)
    projections = {f"attention.{name}" for name in ("query", "key", "value", "out")}
    assert set(hooked(model)) == {*projections, "einsum", "general"}


def test_a_layer_as_a_whole_model() -> None:
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    quietly(model)
    assert set(hooked(model)) == {"model"}


def test_a_second_call_changes_the_emulation_alone() -> None:
    model = Shared(nnx.Rngs(0))
    quietly(model)
    before = hooked(model)
    assert len(before) == 2  # the shared layer has one
    other = Emulation(Accelerator(8, 8), "ws_only", "tile")
    put_on_array(model, other)
    assert hooked(model) == before
    assert {hook.emulation for hook in before.values()} == {other}


def test_parameters_and_everything_else_stay() -> None:
    plain, model = Shared(nnx.Rngs(0)), Shared(nnx.Rngs(0))
    quietly(model)
    params, taps, rest = nnx.state(model, nnx.Param, Tap, ...)
    assert nnx.to_pure_dict(params).keys() == nnx.to_pure_dict(nnx.state(plain)).keys()
    assert len(nnx.to_flat_state(taps)) == 2
    assert not nnx.to_flat_state(rest)
    assert jnp.array_equal(model(jnp.ones((1, 6))), plain(jnp.ones((1, 6))))


@pytest.mark.parametrize(("kind", "path"), [(Scanned, "blocks.dense"), (Ensemble, "members")])
def test_layers_in_one_have_taps_in_one(kind: Any, path: str) -> None:
    model = kind(nnx.Rngs(0))
    quietly(model)
    assert hooked(model)[path].tap.shape == (3, 2, 8, 15)


def test_an_einsum_that_is_no_contraction_says_so_when_called() -> None:
    model = nnx.Einsum("ab,bcd->ac", (3, 4, 5), rngs=nnx.Rngs(0))
    plain = model(jnp.ones((2, 3)))
    quietly(model)
    with pytest.warns(UserWarning, match=r"not emulated: einsum 'ab,bcd->ac'"):
        assert jnp.array_equal(model(jnp.ones((2, 3))), plain)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: put_on_array(lambda x: x, EMULATION), "model", "function", "nnx.Module"),  # type: ignore[type-var]
        *(
            Refusal(
                lambda schedule=schedule: put_on_array(Shared(nnx.Rngs(0)), Emulation(Accelerator(2, 2), schedule)),
                "schedule", repr(schedule), "interleaved",
            )
            for schedule in ("ws", "os")
        ),
        Refusal(
            lambda: put_on_array(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), EMULATION)(jnp.ones((1, 2)), out_sharding="x"),
            "out_sharding", "x", "give None",
        ),
    ],
    ids=lambda refusal: f"{refusal.field} {refusal.shown}",
)  # fmt: skip
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
