from __future__ import annotations

import jax
import pytest
from flax import nnx

import jaxgrad_models


@pytest.mark.parametrize("name", ["lenet", "alexnet", "resnet20"])
def test_a_network_in_shapes_is_the_network(name: str) -> None:
    shape = jaxgrad_models.INPUT_SHAPES[name]
    own = nnx.state(jaxgrad_models.abstract(name, input_shape=shape, classes=7))
    wanted = nnx.state(
        nnx.eval_shape(lambda: jaxgrad_models.build(name, input_shape=shape, classes=7, rngs=nnx.Rngs(0)))
    )
    assert jax.tree.structure(own) == jax.tree.structure(wanted)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(own)] == [
        (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(wanted)
    ]


def test_the_paper_s_images_and_classes_unless_told_otherwise() -> None:
    model = jaxgrad_models.abstract("vgg11")
    kernels = [leaf.shape for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)) if len(leaf.shape) == 2]
    assert (512 * 7 * 7, 4096) in kernels
    assert (4096, 1000) in kernels
    small = nnx.state(jaxgrad_models.abstract("resnet20"), nnx.Param)
    assert [leaf.shape for leaf in jax.tree.leaves(small) if len(leaf.shape) == 2] == [(64, 10)]


def test_a_model_of_no_paper_needs_a_shape() -> None:
    with pytest.raises(
        ValueError, match=r"^input_shape: got None; mlp has no paper's, give \(height, width, channels\)$"
    ):
        jaxgrad_models.abstract("mlp")
    with pytest.raises(ValueError, match=r"^model: got 'no such'"):
        jaxgrad_models.abstract("no such")
