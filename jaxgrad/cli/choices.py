"""The names that options take, each list from the room that defines it.

Those rooms import JAX, which help must not wait for: a list is imported when a value is checked or completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def models() -> Sequence[str]:
    from jaxgrad.networks.names import NAMES

    return NAMES


def network(field: str, value: Any) -> str:
    """A rule: a model by name, or a network of the user's own."""
    from jaxgrad.networks.names import check

    return check(field, value)


def data_sets() -> Sequence[str]:
    from jaxgrad.training.data import NAMES

    return NAMES


def data_source(field: str, value: Any) -> str:
    """A rule: a data set by name, or one of the user's own."""
    from jaxgrad.training.data import check

    return check(field, value)


def schedules() -> Sequence[str]:
    from jaxgrad.array.schedules import SCHEDULES

    return SCHEDULES


def training_schedules() -> Sequence[str]:
    """The schedules that give both gradients."""
    from jaxgrad.array.schedules import TRAINING_SCHEDULES

    return TRAINING_SCHEDULES


def forwards() -> Sequence[str]:
    from jaxgrad.array.forwards import FORWARDS

    return FORWARDS


def weight_updates() -> Sequence[str]:
    from jaxgrad.array.schedules import WEIGHT_UPDATES

    return WEIGHT_UPDATES


def objectives() -> Sequence[str]:
    from jaxgrad.array.schedules import OBJECTIVES

    return OBJECTIVES


def array_objectives() -> Sequence[str]:
    from jaxgrad.array.schedules import ARRAY_OBJECTIVES

    return ARRAY_OBJECTIVES


def fidelities() -> Sequence[str]:
    from jaxgrad.array.emulation import FIDELITIES

    return FIDELITIES


def precisions() -> Sequence[str]:
    from jaxgrad.training.sections import PRECISIONS

    return PRECISIONS


def estimators() -> Sequence[str]:
    from jaxgrad.training.methods import ESTIMATORS

    return ESTIMATORS


def rad_modes() -> Sequence[str]:
    from jaxgrad.autodiff.estimators.rad import MODES

    return MODES


def optimizers() -> Sequence[str]:
    from jaxgrad.training.optimizers import NAMES

    return NAMES


def decays() -> Sequence[str]:
    from jaxgrad.training.learning_rates import DECAYS

    return DECAYS


def span(field: str, value: Any) -> str:
    """A rule: a time of a run."""
    from jaxgrad.training.spans import span_text

    return span_text(field, value)


def spans(field: str, value: Any) -> str:
    """A rule: times of a run."""
    from jaxgrad.training.spans import spans_text

    return spans_text(field, value)


def on_nan() -> Sequence[str]:
    from jaxgrad.training.divergence import ON_NAN

    return ON_NAN


def patience_measures() -> Sequence[str]:
    from jaxgrad.training.patience import MEASURES

    return MEASURES


def mixed_precisions() -> Sequence[str]:
    from jaxgrad.training.mixed_precision import FORMATS

    return tuple(FORMATS)


def pipelines() -> Sequence[str]:
    from jaxgrad.pipelines import PIPELINES

    return PIPELINES


def pipeline_times() -> Sequence[str]:
    from jaxgrad.pipelines.network import TIMES

    return TIMES


def training_pipelines() -> Sequence[str]:
    from jaxgrad.pipelines.pipeline import LEARNABLE

    return LEARNABLE


def pipeline_weights() -> Sequence[str]:
    from jaxgrad.pipelines.versions import WEIGHTS

    return WEIGHTS


def pipeline_betas() -> Sequence[str]:
    from jaxgrad.pipelines.versions import BETAS

    return tuple(BETAS)


def topology_kinds() -> Sequence[str]:
    from jaxgrad.interop.scalesim.topology import KINDS

    return KINDS


def gemm_phases() -> Sequence[str]:
    from jaxgrad.interop.scalesim.training import PHASES

    return PHASES


def augmentations(name: str, value: Any) -> str:
    """A rule: ``crop,flip``."""
    from jaxgrad.training.data.augmentation import check

    return ",".join(check(name, value))


def search_methods() -> Sequence[str]:
    from jaxgrad.studies.design_search import METHODS

    return METHODS


def logs() -> Sequence[str]:
    from jaxgrad.training.logs.following import NAMES

    return NAMES


def log_names(_: str, value: Any) -> str:
    """A rule: logs by name, with commas between."""
    from jaxgrad.training.logs.following import named

    return ",".join(named([value]))


def figure_styles() -> Sequence[str]:
    from jaxgrad.reports.style import STYLES

    return STYLES


def figure_widths() -> Sequence[str]:
    from jaxgrad.reports.style import WIDTHS

    return tuple(WIDTHS)


def table_formats() -> Sequence[str]:
    from jaxgrad.reports.tabular import FORMATS

    return FORMATS


def datapaths() -> Sequence[str]:
    """The number formats that hardware is written for."""
    from jaxgrad.rtl.datapath import DATAPATHS

    return tuple(DATAPATHS)
