"""Weight decay of some parameters: masks by name and by pattern, alone and beside those of quantised layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import InputError
from jaxgrad.flax import put_on_array
from jaxgrad.hardware import Accelerator
from jaxgrad.training.masks import decayed
from jaxgrad.training.methods import QuantizationSection
from jaxgrad.training.quantized import optimizer, rules
from jaxgrad.training.sections import OptimizerSection

RATE, DECAY = 0.5, 0.125
EMULATION = Emulation(Accelerator(4, 3))


def model(**bits: Any) -> nnx.Module:
    plain = jaxgrad_models.build(
        "mlp", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0), hidden=[6, 5], batch_norm=True
    )
    return put_on_array(plain, rules(QuantizationSection.model_validate(bits), EMULATION))


def moved(params: Any, name: str = "sgd", **keys: Any) -> set[str]:
    """The parameters that a step without gradients moves, by their paths."""
    bits = keys.pop("bits", {})
    settings = {"name": name, "learning_rate": RATE, "weight_decay": DECAY, "decay": "constant", **keys}
    chosen = optimizer(
        OptimizerSection.model_validate(settings), rules(QuantizationSection.model_validate(bits), EMULATION), 0.0, RATE
    )
    still = jax.tree.map(jnp.zeros_like, params)
    updates, _ = chosen.update(still, chosen.init(params), params)
    paths = jax.tree_util.tree_leaves_with_path(updates)
    for (_, update), old in zip(paths, jax.tree.leaves(params), strict=True):
        if np.any(update):
            np.testing.assert_allclose(update, -RATE * DECAY * old, rtol=1e-6)
    return {
        jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
        for path, update in paths
        if np.any(update)
    }


def ones(network: nnx.Module) -> Any:
    """Its parameters, none of them 0."""
    return jax.tree.map(lambda leaf: jnp.abs(leaf) + 1, nnx.state(network, nnx.Param))


KERNELS = {"hidden.0.dense.kernel", "hidden.1.dense.kernel", "head.kernel"}


@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw"])
def test_decay_is_of_the_parameters_that_the_mask_names(name: str) -> None:
    params = ones(model())
    all_of_them = moved(params, name)
    assert all_of_them > KERNELS
    assert {"head.bias", "hidden.0.norm.scale"} < all_of_them
    assert moved(params, name, weight_decay_mask="all") == all_of_them
    assert moved(params, name, weight_decay_mask="kernels") == KERNELS
    assert moved(params, name, weight_decay_mask="hidden.*.kernel") == KERNELS - {"head.kernel"}
    assert moved(params, name, weight_decay_mask="head.bias, hidden.0.dense.*") == {
        path for path in all_of_them if path == "head.bias" or path.startswith("hidden.0.dense.")
    }


@pytest.mark.parametrize("name", ["momentum", "adamw"])
@pytest.mark.parametrize("bits", [{"weights_bits": 2, "activations_bits": 2}, {"activations_bits": 2}])
def test_a_mask_goes_with_quantised_layers(name: str, bits: dict[str, int]) -> None:
    params = ones(model(**bits, layers="hidden.*"))
    keys = {"bits": {**bits, "layers": "hidden.*"}, "name": name}
    assert moved(params, weight_decay_mask="kernels", **keys) == KERNELS
    assert moved(params, weight_decay_mask="head.*", **keys) == {"head.kernel", "head.bias"}
    assert moved(params, weight_decay_mask="hidden.1.dense.kernel", **keys) == {"hidden.1.dense.kernel"}


def test_a_pattern_of_no_parameter_is_refused() -> None:
    mask = decayed("head.*, heads.kernel")
    assert mask is not None
    said = "weight_decay_mask: got 'head.*, heads.kernel'; 'heads.kernel' is the path of no parameter; there are "
    with pytest.raises(InputError) as raised:
        mask(nnx.state(model(), nnx.Param))
    assert str(raised.value).startswith(said)
    assert "head.kernel" in raised.value.remedy


def test_gradients_are_clipped_by_their_common_norm_before_decay_is_added() -> None:
    keys = {"name": "sgd", "learning_rate": RATE, "weight_decay": DECAY, "clip_norm": 2.0, "decay": "constant"}
    chosen = optimizer(OptimizerSection.model_validate(keys), rules(QuantizationSection(), EMULATION), 0.0, RATE)
    params = {"kernel": jnp.array([[4.0]]), "bias": jnp.array([2.0])}
    gradients = {"kernel": jnp.array([[3.0]]), "bias": jnp.array([4.0])}  # of norm 5
    updates: Any = chosen.update(gradients, chosen.init(params), params)[0]
    assert float(updates["kernel"][0, 0]) == pytest.approx(-RATE * (3 * 2 / 5 + DECAY * 4))
    assert float(updates["bias"][0]) == pytest.approx(-RATE * (4 * 2 / 5 + DECAY * 2))
    small = jax.tree.map(lambda leaf: leaf / 10, gradients)
    updates = chosen.update(small, chosen.init(params), params)[0]
    assert float(updates["bias"][0]) == pytest.approx(-RATE * (0.4 + DECAY * 2))
