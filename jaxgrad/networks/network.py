"""A network by the text that names it, wherever one is named: ``resolve``.

======================= ============================================================================================
text                    what it names
======================= ============================================================================================
lenet, resnet50, ...    a network of ``jaxgrad_models``
FILE.py:NAME            of a file, by its path: an NNX class or a function that returns a module, called with those
                        of ``input_shape``, ``classes`` and ``rngs`` that its signature names
                        Or a JAX function of (parameters, images) with an attribute ``init``: a function that makes
                        the parameters, called with those of these three and ``key`` that its signature names
MODULE:NAME             the same of a module, by its dotted name
FILE.onnx               an ONNX classifier, its weights the initial ones
======================= ============================================================================================

What the user's own says of itself counts where nothing else is said: ``input_shape``, (height, width, channels) of an
image, and ``classes``, as attributes of the class or of the function, or the shapes in an ONNX file.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import jaxgrad_models
from jaxgrad.base.errors import InputError
from jaxgrad.networks import own
from jaxgrad.networks.names import NAMES, ONNX, check, short
from jaxgrad.networks.own import Make, said
from jaxgrad_models import shapes

_REMEDY = "give a network that can be built"
_BATCH = 2  # images in the trace that checks what comes out


@dataclass(frozen=True)
class Network:
    """A network, not built yet.

    Args:
        reference: the text that names it.
        input_shape: (height, width, channels) of its images: a paper's, or what the user's own says; None if nobody
            says. Of one that reads text, (tokens,).
        classes: of its images, likewise.
        options: what its constructor takes besides, by keyword.
        source: the file that the user's own is in; None for a network of ``jaxgrad_models``.
        make: builds it.
        field: what messages call the text.
    """

    reference: str
    input_shape: tuple[int, ...] | None
    classes: int | None
    options: tuple[str, ...]
    source: Path | None
    make: Make
    field: str = "model"

    @property
    def name(self) -> str:
        """Its name for titles and for folders."""
        return short(self.reference)

    @property
    def own(self) -> bool:
        """Whether it is the user's own."""
        return self.source is not None

    @property
    def reads_text(self) -> bool:
        """Whether it is called with tokens, and not with images."""
        return self.reference in jaxgrad_models.TEXT

    def batch(self, size: int, input_shape: Sequence[int]) -> jax.ShapeDtypeStruct:
        """What it is called with, in shapes: float32 images, or int32 tokens.

        >>> resolve("transformer-lm").batch(2, (8,))
        ShapeDtypeStruct(shape=(2, 8), dtype=int32)

        Args:
            size: of the batch.
            input_shape: of one image, or of one window.
        """
        return jax.ShapeDtypeStruct((size, *input_shape), jnp.int32 if self.reads_text else jnp.float32)

    def abstract(
        self, *, input_shape: Sequence[int] | None = None, classes: int | None = None, **options: Any
    ) -> nnx.Module:
        """The model in shapes, for tracing: no weight is made.

        Args:
            input_shape: (height, width, channels) of one image; its own if left out.
            classes: how many logits; its own, or 10, if left out.
            options: of its constructor, among ``options``.

        Raises:
            ValueError: it can't be built so, or does not map images to a logit a class.

        >>> model = resolve("resnet50").abstract(input_shape=(32, 32, 3), classes=10)
        >>> model.head.kernel.shape
        (2048, 10)
        """
        shape, outputs = self._sizes(input_shape, classes)
        model = shapes.of(lambda rngs: self._made(shape, outputs, rngs, options))
        if self.own:
            self._check_logits(model, shape, outputs)
        return model

    def build(
        self, *, rngs: nnx.Rngs, input_shape: Sequence[int] | None = None, classes: int | None = None, **options: Any
    ) -> nnx.Module:
        """The model with its weights, in training mode; arguments and errors as of ``abstract``.

        Args:
            rngs: where the weights come from.
            input_shape, classes, options: as of ``abstract``.
        """
        shape, outputs = self._sizes(input_shape, classes)
        if self.own:
            self.abstract(input_shape=shape, classes=outputs, **options)
        return self._made(shape, outputs, rngs, options)

    def _sizes(self, input_shape: Sequence[int] | None, classes: int | None) -> tuple[tuple[int, ...], int]:
        shape = self.input_shape if input_shape is None else input_shape
        if shape is None:
            remedy = f"{self.reference} has no images of its own, give (height, width, channels)"
            raise InputError("input_shape", None, remedy)
        return tuple(shape), (self.classes or 10) if classes is None else classes

    def _made(self, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs, options: dict[str, Any]) -> nnx.Module:
        if not self.own:
            return self.make(input_shape=shape, classes=classes, rngs=rngs, **options)
        for option, value in options.items():
            if option not in self.options:
                raise InputError(option, value, f"{self.reference} has none: leave it out")
        try:
            with redirect_stdout(sys.stderr):
                model: Any = self.make(input_shape=shape, classes=classes, rngs=rngs, **options)
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's constructor does
            raise self._refusal(f"which can't be built for images of {_shown(shape)} ({said(error)})") from error
        if not isinstance(model, nnx.Module) or not callable(model):
            raise self._refusal(f"which gives a {type(model).__name__} and no Flax NNX module to call")
        return model

    def _check_logits(self, model: nnx.Module, shape: tuple[int, ...], classes: int) -> None:
        """Refuses a model that fails, or whose result is not [batch, classes]."""
        images = self.batch(_BATCH, shape)
        graph, state = nnx.split(model)
        try:
            with redirect_stdout(sys.stderr):
                logits: Any = jax.eval_shape(lambda state, images: nnx.merge(graph, state)(images), state, images)  # pyright: ignore[reportCallIssue]  # a module that can be called
        except InputError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's model does
            what = f"which fails on images of {_shown(shape)} ({said(error)})"
            raise self._refusal(what, "give one that takes them") from error
        wanted = (_BATCH, classes)
        if not isinstance(logits, jax.ShapeDtypeStruct) or logits.shape != wanted:
            result = f"shape {logits.shape}" if hasattr(logits, "shape") else f"a {type(logits).__name__}"
            raise self._refusal(
                f"which maps {_BATCH} images of {_shown(shape)} to {result}",
                f"give one that maps them to [batch, classes], here {wanted}",
            )

    def _refusal(self, what: str, remedy: str = _REMEDY) -> InputError:
        return InputError(self.field, self.reference, remedy, problem=f"got {self.reference!r}, {what}")


def resolve(reference: str, field: str = "model") -> Network:
    """The network that a text names; of the user's own, the file is run.

    The same object comes back for the same text until the file changes, so that a step is compiled once.

    Args:
        reference: as the table above has it.
        field: what messages call the text.

    Raises:
        InputError: there is no such thing, or it is no network.

    >>> resolve("resnet50").input_shape, resolve("resnet50").classes
    ((224, 224, 3), 1000)
    """
    check(field, reference)
    if reference in NAMES:
        return Network(
            reference,
            jaxgrad_models.INPUT_SHAPES.get(reference),
            jaxgrad_models.CLASSES.get(reference),
            jaxgrad_models.options_of(reference),
            None,
            functools.partial(jaxgrad_models.build, reference),
            field,
        )
    return _own(reference, field, _stamp(reference))


@functools.lru_cache(maxsize=32)
def _own(reference: str, field: str, stamp: object) -> Network:
    made = own.load(reference, field)
    return Network(reference, made.input_shape, made.classes, made.options, made.source, made.make, field)


def _stamp(reference: str) -> object:
    """What changes with the file that a text names."""
    path = Path(reference if reference.endswith(ONNX) else reference.rpartition(":")[0]).absolute()
    try:
        facts = path.stat()
    except OSError:
        return path
    return path, facts.st_mtime_ns, facts.st_size


def _shown(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
