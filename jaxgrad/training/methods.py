"""The sections that change what a step computes: a pipeline's delays, an estimator of gradients, layers of few bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import model_validator

from jaxgrad.autodiff.estimators import EXACT, Estimator, rad
from jaxgrad.autodiff.estimators.rad import MODES
from jaxgrad.base.errors import InputError, either
from jaxgrad.base.schema import (
    Bits,
    Blend,
    Section,
    Share,
    Size,
    among,
)
from jaxgrad.pipelines.network import TIMES
from jaxgrad.pipelines.pipeline import LEARNABLE
from jaxgrad.pipelines.versions import BETAS, STASHED, WEIGHTS
from jaxgrad.quantization import coarse
from jaxgrad.training import defaults
from jaxgrad.training.sections import EmulationSection

ESTIMATORS: tuple[str, ...] = ("exact", "rad")


class PipelineSection(Section):
    """A pipeline of arrays whose delays the run has; without a name there is none, and no other key.

    Args:
        name: of the pipeline.
        processors: how many arrays.
        weights: which version of them a backward pass takes.
        beta: the decay of the average that ``ema`` keeps, n being a layer's delay in steps.
        time: what layers are shared out among arrays by.
    """

    name: Annotated[str, among(LEARNABLE)] | None = None
    processors: Size | None = None
    weights: Annotated[str, among(WEIGHTS)] | None = None
    beta: Annotated[str, among(tuple(BETAS))] | None = None
    time: Annotated[str, among(TIMES)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("name") is None:
            return values
        filled = {"processors": defaults.PROCESSORS, "weights": defaults.WEIGHTS, "time": defaults.TIME, **values}
        return {"beta": defaults.BETA, **filled} if filled["weights"] == "ema" else filled

    def check(self, emulation: EmulationSection) -> None:
        """Raises InputError where its keys do not go together, or with what the array does."""
        if self.name is None:
            for key, value in self.model_dump(exclude_none=True).items():
                raise InputError(
                    f"pipeline.{key}", value, "there is no pipeline: set pipeline.name too, or leave it out"
                )
            return
        if self.beta is not None and self.weights != "ema":
            remedy = f"{self.weights!r} has none: leave it out or choose pipeline.weights = 'ema'"
            raise InputError("pipeline.beta", self.beta, remedy)
        if self.weights not in STASHED and (emulation.fidelity != "native" or emulation.precision != "own"):
            remedy = (
                "its backward pass is XLA's own: it needs emulation.fidelity = 'native' and precision = 'own' "
                f"(here {emulation.fidelity!r} and {emulation.precision!r}), or choose {either(map(repr, STASHED))}"
            )
            raise InputError("pipeline.weights", self.weights, remedy)
        if emulation.weight_update == "in_array":
            remedy = "under a pipeline the array holds older weights than those to update: choose 'separate' or 'none'"
            raise InputError("emulation.weight_update", "in_array", remedy)


class EstimatorSection(Section):
    """How the gradients of weights are computed; exactly where it has no name, or ``exact``, and no other key then.

    Args:
        name: ``rad`` takes a random part of each layer's input, unbiased.
        keep: the share of each layer's input that is kept.
        mode: whether all examples of a batch keep the same elements.
    """

    name: Annotated[str, among(ESTIMATORS)] | None = None
    keep: Share | None = None
    mode: Annotated[str, among(MODES)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        if values.get("name") == "rad":
            return {"keep": defaults.KEEP, "mode": defaults.MODE, **values}
        return {key: value for key, value in values.items() if (key, value) != ("name", "exact")}

    @classmethod
    def of(cls, name: str | None, keep: float | None, mode: str | None) -> EstimatorSection:
        """From an option or a key each, whose own names errors have.

        Raises:
            InputError: they do not go together.
        """
        chosen = {"name": name, "keep": keep, "mode": mode}
        section = cls.model_validate({key: value for key, value in chosen.items() if value is not None})
        try:
            section.check(PipelineSection())
        except InputError as error:
            raise error.renamed(error.field.removeprefix("estimator.")) from None
        return section

    @property
    def suffix(self) -> str:
        """For the end of a title; empty where gradients are exact."""
        return f", {self.name} {self.keep:g} {self.mode}" if self.name else ""

    def built(self) -> Estimator:
        return EXACT if self.keep is None or self.mode is None else rad(self.keep, self.mode)

    def check(self, pipeline: PipelineSection) -> None:
        """Raises InputError where its keys do not go together, or with a pipeline."""
        if self.name is None:
            for key, value in self.model_dump(exclude_none=True).items():
                remedy = "exact gradients have none: set estimator.name = 'rad' too, or leave it out"
                raise InputError(f"estimator.{key}", value, remedy)
        elif pipeline.weights is not None and pipeline.weights not in STASHED:
            remedy = (
                f"under pipeline.weights = {pipeline.weights!r} the backward pass is XLA's own: leave it out, or "
                f"choose {either(map(repr, STASHED))}"
            )
            raise InputError("estimator.name", self.name, remedy)


class QuantizationSection(Section):
    """Layers of a few bits; without bits there are none, and no other key.

    Args:
        weights_bits: of a weight.
        activations_bits: of an element of a layer's input.
        blend: how much of the float weight an update starts from, beside its quantised one.
        by_input: the derivative that stands for the quantiser's by its input.
        by_resolution: likewise by its resolution.
        layers: patterns of the layers that are quantised, with commas between.
        weights_only: patterns of those among them whose input is not, as an image's need not be.
    """

    weights_bits: Bits | None = None
    activations_bits: Bits | None = None
    blend: Blend | None = None
    by_input: Annotated[str, among(coarse.BY_INPUT)] | None = None
    by_resolution: Annotated[str, among(coarse.BY_RESOLUTION)] | None = None
    layers: str | None = None
    weights_only: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        filled: dict[str, Any] = {}
        if values.get("weights_bits") is not None:
            filled |= {"blend": defaults.BLEND, "layers": defaults.LAYERS}
        if values.get("activations_bits") is not None:
            names = {"by_input": coarse.CLIPPED_RELU.name, "by_resolution": coarse.THREE_VALUED.name}
            filled |= {"layers": defaults.LAYERS, **names}
        return {**filled, **values}

    @property
    def quantizes(self) -> bool:
        return self.weights_bits is not None or self.activations_bits is not None

    @property
    def patterns(self) -> list[str]:
        """Of the layers that are quantised."""
        return _patterns(self.layers)

    @property
    def weights_only_patterns(self) -> list[str]:
        """Of those whose input is not."""
        return _patterns(self.weights_only)

    def check(self, emulation: EmulationSection, pipeline: PipelineSection) -> None:
        """Raises InputError where its keys do not go together, or with what the array does."""
        of_weights, of_activations = ("blend", "weights_only"), ("by_input", "by_resolution")
        for keys, bits in ((of_weights, "weights_bits"), (of_activations, "activations_bits")):
            for key in keys:
                if getattr(self, key) is not None and getattr(self, bits) is None:
                    remedy = f"set quantization.{bits} too, or leave it out"
                    raise InputError(f"quantization.{key}", getattr(self, key), remedy)
        if not self.quantizes:
            if self.layers is not None:
                remedy = "set quantization.weights_bits or activations_bits too, or leave it out"
                raise InputError("quantization.layers", self.layers, remedy)
            return
        if not self.patterns:
            raise InputError("quantization.layers", self.layers, "give patterns of layers, separated by commas")
        if emulation.weight_update == "in_array":
            remedy = "quantised weights are updated as floats, which are not in the array: choose 'separate' or 'none'"
            raise InputError("emulation.weight_update", "in_array", remedy)
        if pipeline.weights is not None and pipeline.weights not in STASHED:
            remedy = f"its backward pass is XLA's own, of no few bits: choose {either(map(repr, STASHED))}"
            raise InputError("pipeline.weights", pipeline.weights, remedy)


def _patterns(text: str | None) -> list[str]:
    return [pattern.strip() for pattern in (text or "").split(",") if pattern.strip()]
