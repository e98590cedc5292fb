"""The TOML file of an experiment on memory, read and checked as a whole.

It asks how many bytes a training step of each network stores where each layer keeps a share of its input, as randomized
automatic differentiation (RAD) does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from jaxgrad.base.errors import InputError, distinct, whole_number
from jaxgrad.base.schema import Rate, Section, Share, Size, checked, read_toml, validated
from jaxgrad.networks.entries import ImageShape
from jaxgrad.networks.keys import NetworkName
from jaxgrad.studies.sections import Name


class MemorySection(Section):
    """What is stored.

    Args:
        batch: examples a step.
        keep: shares of each layer's input that are kept, of each example ``ceil(keep d)`` of its d elements.
        loss_bytes: what the loss keeps of an example, in bytes, whatever the share.
    """

    batch: Size
    keep: Annotated[list[Share], Field(min_length=1)]
    loss_bytes: Annotated[int, Field(ge=0), checked(partial(whole_number, least=0))] = 0


class NetworkSection(Section):
    """A network.

    Args:
        name: what reports call it.
        model: of ``models``, or the user's own.
        input_shape: (height, width, channels) of one image.
        classes: how many logits it gives.
        options: what the model's constructor takes besides.
    """

    name: Name
    model: NetworkName
    input_shape: ImageShape
    classes: Size = 10
    options: dict[str, Any] = Field(default_factory=dict)


class PublishedSection(Section):
    """Published figures of a network.

    Args:
        network: whose they are, by name.
        megabytes: what a step stores, in 10^6 bytes, one for each of ``memory.keep``, to two digits.
        source: paper and place.
    """

    network: str
    megabytes: Annotated[list[Rate], Field(min_length=1)]
    source: str


class MemoryExperiment(Section):
    """An experiment's file.

    Args:
        title: what it is, in a line; printed, as are the next two.
        question: what it asks.
        notes: what it assumes, a text each.
    """

    title: str
    question: str = ""
    notes: list[str] = Field(default_factory=list)
    memory: MemorySection
    network: Annotated[list[NetworkSection], Field(min_length=1)]
    published: list[PublishedSection] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> MemoryExperiment:
        names = [network.name for network in self.network]
        distinct("network.name", names)
        distinct("memory.keep", self.memory.keep)
        distinct("published.network", [figures.network for figures in self.published])
        for figures in self.published:
            if figures.network not in names:
                remedy = f"choose one of {', '.join(names)}, the names of networks"
                raise InputError("published.network", figures.network, remedy)
            if len(figures.megabytes) != len(self.memory.keep):
                remedy = f"give {len(self.memory.keep)}, one for each of memory.keep"
                raise InputError("published.megabytes", len(figures.megabytes), remedy)
        return self


def load(file: Path) -> MemoryExperiment:
    """The experiment in a file.

    Raises:
        InputError: the file can't be read, or a key or value in it is not valid.
    """
    return validated(MemoryExperiment, read_toml(file, "CONFIG"), str(file))
