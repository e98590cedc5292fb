"""How a report writes numbers."""

from __future__ import annotations

_PREFIXES = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def short(value: int) -> str:
    """Three significant digits and an SI prefix: 1234567 as 1.23M; below 1000 exact."""
    for size, prefix in _PREFIXES:
        if round(value * 1000 / size) >= 1000:  # so that 999,999 is 1.00M, not 1000k
            scaled = value / size
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{digits}f}{prefix}"
    return str(value)


def ratio(value: int, reference: int) -> str:
    """``value / reference`` with two decimals; a dash where there is nothing to divide by."""
    return f"{value / reference:.2f}" if reference else "-"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "-"


def saving(value: int, reference: int) -> str:
    """``value`` against ``reference`` in words: 3.1% fewer, 2.0% more."""
    change = 100 * (value - reference) / reference if reference else 0.0
    if f"{abs(change):.1f}" == "0.0":
        return "no fewer"
    return f"{abs(change):.1f}% {'more' if change > 0 else 'fewer'}"
