"""A language model: a decoder-only transformer over characters or other tokens.

Sources: Radford et al., "Language models are unsupervised multitask learners", 2019 (GPT-2), for where the
normalisations are and the weights of deviation .02; Press and Wolf, "Using the output embedding to improve language
models", EACL 2017, for tied embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float, Int

from jaxgrad_models.errors import BuildError, is_size
from jaxgrad_models.vit import Block


class TransformerLM(nnx.Module):
    """Tokens embedded, with a learned embedding of their places, transformer blocks in which a token sees itself and
    those before it, and a dense layer to the logits of the next token.

    Its dense layers are the blocks' query, key, value, out, dense1 and dense2, and the head; the products of queries
    with keys and of scores with values have no weights. Tied, the head's weights are the embedding's, without a bias.

    Args:
        input_shape: (context,), tokens in a window.
        classes: different tokens there are; as many logits come out for each.
        width: features of a token.
        depth: blocks.
        heads: of each attention; they divide ``width``.
        tied: whether the embedding's weights are the head's too.
        rngs: where the initial weights come from.

    Raises:
        BuildError: a size is none, or ``heads`` do not divide ``width``.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        classes: int,
        *,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        tied: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        for name, size in (("width", width), ("depth", depth), ("heads", heads)):
            if not is_size(size):
                raise BuildError(name, size, "give a whole number of at least 1")
        if width % heads:
            raise BuildError("heads", heads, f"give a number that divides width, here {width}")
        (context,) = input_shape
        small = nnx.initializers.normal(0.02)
        self.embedding = nnx.Embed(classes, width, embedding_init=small, rngs=rngs)
        self.positions = nnx.Param(small(rngs.params(), (context, width), jnp.float32))
        self.blocks = nnx.List(Block(width, heads, rngs=rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.head = None if tied else nnx.Linear(width, classes, kernel_init=small, rngs=rngs)

    def __call__(self, tokens: Int[Array, "b time"]) -> Float[Array, "b time classes"]:
        """Tokens to the logits of the token after each; ``time`` may be less than the context."""
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        mask = nnx.make_causal_mask(tokens)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        return self.embedding.attend(x) if self.head is None else self.head(x)
