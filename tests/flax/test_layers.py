from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jax import Array, lax

from jaxgrad import Accelerator, Emulation
from jaxgrad.flax import Tap, put_on_array, read_counters, value_and_grad
from jaxgrad.flax.layers import stack
from tests.flax.models import MODELS, Attention, Ensemble, Remat, Scanned, Shared
from tests.refusals import Refusal, assert_refused

EMULATION = Emulation(Accelerator(3, 4))


class Odd(nnx.Module):
    """Layers of all kinds, and some that contract nothing."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.plain = nnx.Conv(2, 2, (3, 3), rngs=rngs)
        self.transposed = nnx.ConvTranspose(2, 2, (3, 3), strides=(2, 1), rngs=rngs)
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


def taps(model: nnx.Module) -> dict[str, Any]:
    return {str(path[-1]): tap[...] for path, tap in nnx.to_flat_state(nnx.state(model, Tap))}


def quietly(model: nnx.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        put_on_array(model, EMULATION)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_layers_that_are_emulated_gives_no_warning(name: str) -> None:
    model = MODELS[name](nnx.Rngs(0))
    quietly(model)
    assert taps(model)


def test_layers_of_all_kinds_give_no_warning() -> None:
    model = Odd(nnx.Rngs(0))
    quietly(model)
    assert {"plain", "transposed", "dilated", "custom", "lora", "embedding"} <= set(taps(model))


def test_taps_are_those_of_modules_that_may_compute_products() -> None:
    model = Attention(nnx.Rngs(0))
    quietly(model)
    projections = {f"attention.{name}" for name in ("query", "key", "value", "out")}
    assert set(taps(model)) == {"model", "attention", *projections, "einsum", "general"}


def test_a_layer_as_a_whole_model() -> None:
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    quietly(model)
    assert set(taps(model)) == {"model"}
    _, _, counters = value_and_grad(lambda model, x: model(x).sum())(model, jnp.ones((1, 2)))
    assert set(counters) == {"model"}


def test_batch_axes_of_a_kernel_are_no_stack_of_layers() -> None:
    def general(rngs: nnx.Rngs) -> nnx.LinearGeneral:
        return nnx.LinearGeneral((2, 3), (4,), axis=(-2, -1), batch_axis={0: 5}, rngs=rngs)

    assert stack(general(nnx.Rngs(0))) == ()
    assert stack(nnx.split_rngs(splits=3)(nnx.vmap(general))(nnx.Rngs(0))) == (3,)


def test_a_second_call_changes_the_emulation_alone() -> None:
    model, x = Shared(nnx.Rngs(0)), jnp.ones((1, 6))
    quietly(model)
    before, kind = nnx.state(model), type(model)
    step = value_and_grad(lambda model, x: model(x).sum())
    fast = step(model, x)[2]["head"].forward.as_dict()["cycles"]
    put_on_array(model, Emulation(Accelerator(1, 1), "ws_only", "tile"))
    assert type(model) is kind
    assert nnx.to_flat_state(nnx.state(model)).paths == nnx.to_flat_state(before).paths
    assert step(model, x)[2]["head"].forward.as_dict()["cycles"] > fast


def test_parameters_and_everything_else_stay() -> None:
    plain, model = Shared(nnx.Rngs(0)), Shared(nnx.Rngs(0))
    quietly(model)
    params, own, rest = nnx.state(model, nnx.Param, Tap, ...)
    assert nnx.to_pure_dict(params).keys() == nnx.to_pure_dict(nnx.state(plain)).keys()
    assert len(nnx.to_flat_state(own)) == 3  # of the two layers, and of the model itself
    assert not nnx.to_flat_state(rest)
    assert jnp.array_equal(model(jnp.ones((1, 6))), plain(jnp.ones((1, 6))))


@pytest.mark.parametrize(("kind", "shape"), [(Scanned, (3, 2, 8, 15)), (Ensemble, (3, 2, 8, 15)), (Remat, (2, 8, 15))])
def test_models_in_one_have_taps_in_one(kind: Any, shape: tuple[int, ...]) -> None:
    model = kind(nnx.Rngs(0))
    quietly(model)
    assert {tap.shape for tap in taps(model).values()} == {shape}


def test_models_in_one_step_by_hand() -> None:
    """Blocks made by ``nnx.vmap`` and put on the array as they are: each call has a slice of the taps."""
    blocks, x = Scanned(nnx.Rngs(0)).blocks, jnp.ones((2, 6))
    quietly(blocks)
    graph, params, own, rest = nnx.split(blocks, nnx.Param, Tap, ...)

    def loss(params: Any, own: Any) -> Array:
        run = nnx.scan(lambda block, x: block(x), in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        return run(nnx.merge(graph, params, own, rest, copy=True), x).sum()

    counters = read_counters(nnx.jit(lambda *states: nnx.grad(loss, argnums=1)(*states))(params, own))
    assert counters["dense"].forward.as_dict()["macs"] == 3 * 2 * 6 * 6


def test_an_einsum_that_is_no_contraction_runs_as_what_it_is() -> None:
    model = nnx.Einsum("ab,bcd->ac", (3, 4, 5), rngs=nnx.Rngs(0))
    plain = model(jnp.ones((2, 3)))
    quietly(model)
    assert jnp.allclose(model(jnp.ones((2, 3))), plain)
    _, _, counters = value_and_grad(lambda model, x: model(x).sum())(model, jnp.ones((2, 3)))
    assert counters["model"].forward.as_dict()["macs"] == 2 * 3 * 4  # the sum over d is none


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
    ],
    ids=lambda refusal: f"{refusal.field} {refusal.shown}",
)  # fmt: skip
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
