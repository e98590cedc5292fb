"""A verdict in words."""

from __future__ import annotations

from jaxgrad.training.diagnostics.afterwards import Afterwards
from jaxgrad.training.diagnostics.verdict import LEAST, Balance, Gradient, Law, Verdict


def words(verdict: Verdict, after: Afterwards | None, notes: tuple[str, ...] = ()) -> str:
    """Some lines of text.

    >>> print(words(Verdict(measurements=5, last_step=800), None))
    Too little to tell: 5 measurements up to step 800, and a verdict needs 16. Measure more often, or train longer.

    Args:
        verdict: on the run.
        after: what came after the loss stopped falling; None where it did not.
        notes: what was measured, a line each.
    """
    count = f"{verdict.measurements:,} measurements up to step {verdict.last_step:,}"
    if verdict.measurements < LEAST:
        lines = [f"Too little to tell: {count}, and a verdict needs {LEAST}. Measure more often, or train longer."]
    else:
        lines = [_loss(verdict, count)]
        lines += _gradient(verdict.gradient) if verdict.gradient else []
        lines += _law(verdict.law, verdict.gradient) if verdict.law else []
        lines += _balance(verdict.balance) if verdict.balance else []
        lines += _bought(after) if after else []
    return "\n".join([*lines, *notes])


def _loss(verdict: Verdict, count: str) -> str:
    fall = _with_error(verdict.fall, verdict.fall_error)
    if verdict.stopped is None:
        return (
            f"The loss is still falling ({count}): a straight line through the later half falls by {fall}. So nothing "
            "is said of the law of the weights, nor of what more training buys."
        )
    return (
        f"The loss stopped falling at step {verdict.stopped:,} ({count}): a straight line through the rest falls by "
        f"{fall}, which is within two errors or 1 % of its whole fall."
    )


def _gradient(gradient: Gradient) -> list[str]:
    low, high = gradient.bounds
    share = f" ({gradient.after / gradient.before:.0%} of {gradient.before:.3g} before)" if gradient.before else ""
    size = f"{gradient.after:.3g}, between {low:.3g} and {high:.3g}{share}"
    if gradient.vanished is None:
        return [f"Whether the gradient vanished is not told: its norm is {size}."]
    if gradient.vanished:
        return [f"The gradient vanished: its norm is {size}."]
    return [f"The gradient did not vanish: its norm is {size}."]


def _law(law: Law, gradient: Gradient | None) -> list[str]:
    untold = f" Too slow to tell in a run of this length: {', '.join(law.untold)}." if law.untold else ""
    if law.stationary is None:
        return [f"Whether the law of the weights is stationary is not told: too few independent samples.{untold}"]
    if not law.stationary:
        kept = f", not for {', '.join(law.same)}" if law.same else ""
        apart = ", ".join(law.apart)
        return [f"The law of the weights still changes between the halves: it does for {apart}{kept}.{untold}"]
    where = " around a stationary point" if gradient and gradient.vanished else ""
    same = ", ".join(law.same)
    return [f"The weights have an approximately stationary law{where}: both halves agree in {same}.{untold}"]


def _balance(balance: Balance) -> list[str]:
    ratio = _with_error(balance.ratio, balance.error)
    return [f"Balance of the steps taken (rise from curvature over descent): {ratio}; 1 under a stationary law."]


def _bought(after: Afterwards) -> list[str]:
    (steps, all_steps), (cycles, all_cycles) = after.steps, after.cycles
    joules = "" if after.joules is None else f" and {after.joules:.3g} J"
    cost = f"{cycles:,} cycles ({cycles / max(all_cycles, 1):.0%} of all){joules}"
    lines = [f"The {steps:,} of {all_steps:,} steps after that took {cost}, and the loss fell no further."]
    if after.accuracy is not None:
        first, last = after.accuracy
        lines.append(f"Accuracy on the test images: {first:.1%} then, {last:.1%} at the end.")
    return lines


def _with_error(value: float | None, error: float | None) -> str:
    return f"{value:.2g} ±{error:.1g}"
