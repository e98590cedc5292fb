"""Layers that more than one family of convolutional networks is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
from flax import nnx
from jax import Array
from jaxtyping import Float

LARGE = 64  # pixels


def small(input_shape: Sequence[int]) -> bool:
    """Whether images of (height, width, channels) are small as CIFAR's are: less than 64 pixels high or wide.

    A network made for ImageNet does not halve those as soon as it sees them, as is usual on CIFAR: its stem has a 3x3
    kernel at a stride of 1, and no pooling.
    """
    return min(input_shape[:2]) < LARGE


def conv(
    n_in: int,
    n_out: int,
    kernel: tuple[int, int],
    *,
    stride: int = 1,
    padding: int | str = "SAME",
    groups: int = 1,
    bias: bool = False,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """A convolution that starts at He's normal variance (ReLU halves it), without a bias unless told otherwise.

    Args:
        n_in: channels in.
        n_out: channels out.
        kernel: its height and width.
        stride: in both directions.
        padding: pixels on every side, "SAME" or "VALID". At a stride of 2, "SAME" pads the far side alone.
        groups: each group of channels in is joined to its own group of channels out.
        bias: whether it has one; a normalisation that follows would take it out again.
        rngs: where the initial weights come from.
    """
    return nnx.Conv(
        n_in,
        n_out,
        kernel,
        strides=stride,
        padding=padding,
        feature_group_count=groups,
        use_bias=bias,
        kernel_init=nnx.initializers.he_normal(),
        rngs=rngs,
    )


def norm(n: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """Batch normalisation of ``n`` channels, its running statistics moving by a tenth a step."""
    return nnx.BatchNorm(n, momentum=0.9, rngs=rngs)


class ConvNorm(nnx.Module):
    """A convolution, batch normalisation, and ReLU or what is given for it.

    Args:
        n_in: channels in.
        n_out: channels out.
        kernel: height and width of the kernel.
        stride: as in ``conv``.
        padding: as in ``conv``.
        groups: as in ``conv``.
        activation: what follows the normalisation; None for nothing.
        rngs: where the initial weights come from.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: tuple[int, int],
        *,
        stride: int = 1,
        padding: int | str = "SAME",
        groups: int = 1,
        activation: Callable[[Array], Array] | None = nnx.relu,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = conv(n_in, n_out, kernel, stride=stride, padding=padding, groups=groups, rngs=rngs)
        self.norm = norm(n_out, rngs)
        self.activation = activation

    def __call__(self, x: Float[Array, "b h w n_in"]) -> Float[Array, "b h_out w_out n_out"]:
        """A feature map to the next."""
        x = self.norm(self.conv(x))
        return x if self.activation is None else self.activation(x)


def local_response_norm(x: Float[Array, "b h w n"]) -> Float[Array, "b h w n"]:
    """Divides each value by a power of the energy of five neighbouring channels at its pixel.

    It is the normalisation of Krizhevsky et al., "ImageNet classification with deep convolutional neural networks",
    NIPS 2012, section 3.3, with the paper's constants.
    """
    energy = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, (1, 1, 1, 5), (1, 1, 1, 1), "SAME")
    return x / (2 + 1e-4 * energy) ** 0.75
