from __future__ import annotations

import jax.numpy as jnp

from jaxgrad_models.inception_v4 import average_pool
from tests.models import tracing


def test_the_maps_are_those_of_the_papers_figure():
    """Figure 9: 35x35x384 out of the stem, 17x17x1024 and 8x8x1536 out of the reductions; the blocks keep them."""
    model = tracing.network("inception-v4")
    shapes = [tracing.output_shape(model.stem, (1, 299, 299, 3))]
    for part in (model.inception_a[-1], model.reduction_a, model.inception_b[-1], model.reduction_b):
        shapes.append(tracing.output_shape(part, shapes[-1]))
    shapes.append(tracing.output_shape(model.inception_c[-1], shapes[-1]))
    assert shapes == [
        *((1, 35, 35, 384), (1, 35, 35, 384)),
        *((1, 17, 17, 1024), (1, 17, 17, 1024)),
        *((1, 8, 8, 1536), (1, 8, 8, 1536)),
    ]
    assert (len(model.inception_a), len(model.inception_b), len(model.inception_c)) == (4, 7, 3)


def test_average_pooling_leaves_the_padding_out():
    """Of ones it makes ones, at the edges too."""
    assert (average_pool(jnp.ones((1, 4, 4, 1))) == 1).all()
