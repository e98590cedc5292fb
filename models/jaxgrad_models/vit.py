"""Vision transformers, after Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at
scale", ICLR 2021, in the two small sizes of Touvron et al., "Training data-efficient image transformers & distillation
through attention" (DeiT), ICML 2021, table 1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float, Shaped

from jaxgrad_models.errors import BuildError
from jaxgrad_models.layers import small


class Block(nnx.Module):
    """Self-attention, then two dense layers with GELU between them; each after layer normalisation and added to what
    came in.

    Args:
        width: features of a token.
        heads: of the attention; they divide ``width``.
        rngs: where the initial weights come from.
    """

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs) -> None:
        glorot = nnx.initializers.xavier_uniform()
        self.norm1 = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, kernel_init=glorot, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.dense1 = nnx.Linear(width, 4 * width, kernel_init=glorot, rngs=rngs)
        self.dense2 = nnx.Linear(4 * width, width, kernel_init=glorot, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b tokens width"], mask: Shaped[Array, "b 1 tokens tokens"] | None = None
    ) -> Float[Array, "b tokens width"]:
        """Tokens to tokens; under a mask a token (the third axis) sees those (the fourth) where it is not 0."""
        x = x + self.attention(self.norm1(x), mask=mask)
        return x + self.dense2(nnx.gelu(self.dense1(self.norm2(x))))


class ViT(nnx.Module):
    """The image in patches, a projection of each (as a convolution), a class token, positions, transformer blocks, and
    one dense layer on the class token.

    Its dense layers are the blocks' query, key, value, out, dense1 and dense2, and the head; the products of queries
    with keys and of scores with values have no weights.

    Args:
        input_shape: (height, width, channels) of one image, 224x224x3 in the paper; multiples of ``patch``.
        classes: how many logits come out.
        width: features of a token.
        heads: of each attention; they divide ``width``.
        depth: blocks.
        patch: pixels a side; if left out 16, as in the paper, or 4 on small images (``layers.small``).
        rngs: where the initial weights come from.

    Raises:
        BuildError: the image isn't a whole number of patches.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        width: int,
        heads: int,
        depth: int = 12,
        patch: int | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        image_height, image_width, channels = input_shape
        patch = patch or (4 if small(input_shape) else 16)
        if image_height % patch or image_width % patch:
            raise BuildError(
                "input_shape", tuple(input_shape), f"vit needs height and width that are multiples of {patch}"
            )
        tokens = (image_height // patch) * (image_width // patch) + 1
        normal = nnx.initializers.normal(0.02)
        self.patches = nnx.Conv(channels, width, (patch, patch), strides=patch, padding="VALID", rngs=rngs)
        self.class_token = nnx.Param(normal(rngs.params(), (1, 1, width), jnp.float32))
        self.positions = nnx.Param(normal(rngs.params(), (1, tokens, width), jnp.float32))
        self.blocks = nnx.List(Block(width, heads, rngs=rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.head = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        """Images to logits."""
        x = self.patches(images)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        class_token = jnp.broadcast_to(self.class_token[...], (x.shape[0], 1, x.shape[-1]))
        x = jnp.concatenate([class_token, x], axis=1) + self.positions[...]  # [b, tokens, width]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


vit_tiny = partial(ViT, width=192, heads=3)
vit_small = partial(ViT, width=384, heads=6)
