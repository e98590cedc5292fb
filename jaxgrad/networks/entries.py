"""Networks as the files of experiments and design spaces name them: a text, or a table that says more.

networks = [
    "resnet50",
    "my.py:Net",
    { model = "my.py:Net", input_shape = [64, 64, 3], classes = 100, name = "larger images" },
    { model = "mlp", input_shape = [28, 28, 1], options = { hidden = [300] } },
]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, model_validator

import jaxgrad_models
from jaxgrad.base.errors import InputError, choose
from jaxgrad.base.schema import Section, Size, otherwise
from jaxgrad.networks import names, sources
from jaxgrad.networks.keys import NetworkName
from jaxgrad_models.errors import BuildError

if TYPE_CHECKING:
    import jax
    from flax import nnx

Described = str | Mapping[str, Any]
"""A network as plain data that decides what it is: a paper's by name, or a table, with a hash of the user's files."""

ImageShape = Annotated[
    list[Size], Field(min_length=3, max_length=3), otherwise("give [height, width, channels], each at least 1")
]
_Name = Annotated[
    str, Field(min_length=1, pattern=r"^[^\x00-\x1f/\\]+$"), otherwise("give a name, on one line and without slashes")
]


class NetworkEntry(Section):
    """A network of a file.

    Args:
        model: the name of a model, or of the user's own (``networks.network``); a file is seen from the folder of the
            file that names it.
        input_shape: (height, width, channels) of one image; without it the paper's, or what the user's own says.
        classes: how many logits it gives; without it the paper's, what the user's own says, or 10.
        options: what its constructor takes besides.
        name: what reports call it; without it ``names.short``.
    """

    model: NetworkName
    input_shape: ImageShape | None = None
    classes: Size | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    name: _Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"model": value}
        if not isinstance(value, Mapping | NetworkEntry):
            raise InputError("", value, f"give the name of a network, {names.OWN}, or a table with its model")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [TypeAdapter(NetworkName).json_schema(), handler(schema)]}

    @model_validator(mode="after")
    def _has_images(self) -> NetworkEntry:
        papers = tuple(jaxgrad_models.INPUT_SHAPES)
        if self.model in names.NAMES and self.model not in papers and self.input_shape is None:
            images = f"{{ model = {self.model!r}, input_shape = [height, width, channels] }}"
            raise InputError("", self.model, f"{choose(papers)}, or give {images}")
        return self

    @property
    def label(self) -> str:
        """What reports call it."""
        return self.name or names.short(self.model)

    def described(self, folder: Path) -> Described:
        """What of a point's data says which network it is.

        Args:
            folder: of the file that names it.

        Raises:
            InputError: there is no such network, or it can't be built so.
        """
        said = self.model_dump(exclude={"name"}, exclude_defaults=True)
        if said == {"model": self.model} and self.model in names.NAMES and self.name is None:
            return self.model
        network = {**said, "name": self.label}
        abstract(network, folder)
        return network | source(self.model, folder)


def described(entries: Sequence[NetworkEntry], field: str, file: Path) -> list[Described]:
    """All networks of a file, checked.

    Args:
        entries: the networks.
        field: the file's key that has them.
        file: which one it is.

    Raises:
        InputError: one will not do; the message says which.
    """
    networks = []
    for number, entry in enumerate(entries):
        try:
            networks.append(entry.described(file.parent))
        except InputError as error:
            raise error.under(f"{field}.{number}").read_from(str(file)) from None
    return networks


def source(model: str, folder: Path) -> dict[str, str]:
    """A hash of the files of the user's own network; nothing of one of ``jaxgrad_models``.

    Args:
        model: the text that names it.
        folder: of the file that does.
    """
    return {} if model in names.NAMES else {"source": sources.digest(sources.located(model, folder))}


def label(network: Described) -> str:
    """What reports call it."""
    return network if isinstance(network, str) else network["name"]


def abstract(network: Described, folder: Path, batch: int = 1) -> tuple[nnx.Module, jax.ShapeDtypeStruct]:
    """The model, and what it is called with, in shapes, for tracing.

    Args:
        network: from ``NetworkEntry.described``.
        folder: of the file that names it.
        batch: images, or windows of a text.

    Raises:
        InputError: it can't be built so.
    """
    from jaxgrad.networks.network import resolve

    said: Mapping[str, Any] = {"model": network} if isinstance(network, str) else network
    found = resolve(sources.located(said["model"], folder), "")
    shape = said.get("input_shape") or found.input_shape
    if shape is None:
        problem = f"got none, and {said['model']} says none"
        raise InputError("input_shape", None, "give [height, width, channels], in a table", problem=problem)
    try:
        model = found.abstract(input_shape=shape, classes=said.get("classes"), **said.get("options", {}))
    except BuildError as error:
        raise InputError(error.field, error.value, error.remedy) from None
    return model, found.batch(batch, shape)
