"""The phases of a training step that a plot shows."""

from __future__ import annotations

from collections.abc import Mapping

from jaxgrad.base.errors import InputError
from jaxgrad.costs import PhaseSummary, Summary
from jaxgrad.reports.style import PHASES, phase_of

STEP: tuple[str, ...] = ("step",)
"""The whole training step."""


def chosen(summaries: Mapping[str, Summary], phases: tuple[str, ...]) -> dict[str, list[PhaseSummary]]:
    """The phases of each summary that count.

    Args:
        summaries: by label.
        phases: keys of ``style.PHASES``, where ``backward`` stands for the gradients and the update, and ``vector`` for
            all work beside the array; or ``step`` for everything.

    Raises:
        ValueError: no summary, an unknown phase, or a summary without any of these.
    """
    if not summaries:
        raise InputError("summaries", None, "give at least one to draw", problem="got none")
    for phase in phases:
        if phase not in (*PHASES, "step"):
            raise InputError("phases", phase, f"choose some of {', '.join((*PHASES, 'step'))}")
    chosen_parts = {
        label: [part for part in summary.phases if _is_among(phase_of(part.phase), phases)]
        for label, summary in summaries.items()
    }
    for label, parts in chosen_parts.items():
        if not parts:
            has = ", ".join(part.phase.label for part in summaries[label].phases) or "none"
            problem = f"got {', '.join(phases) or 'none'}"
            raise InputError("phases", phases, f"{label} has {has}: name some of these", problem=problem)
    return chosen_parts


def named(phases: tuple[str, ...]) -> str:
    """The phases as an axis label names them."""
    if "step" in phases:
        return "a training step"
    return f"a training step ({' + '.join(PHASES[phase].label for phase in phases)})"


def _is_among(phase: str, phases: tuple[str, ...]) -> bool:
    return "step" in phases or phase in phases or ("backward" in phases and phase not in ("forward", "vector"))
