"""How long register fidelity takes: each of its clock cycles moves every PE's registers, whatever they hold."""

from __future__ import annotations

from jaxgrad.array.schedules import Schedule, find
from jaxgrad.hardware import Accelerator

# Seconds a cycle, and a cycle and PE, as measured on one core. With shadow registers, or tiles that depend on each
# other, each PE looks up its own wave.
_SERIAL = 2e-7, 1 / 2.4e9
_OVERLAPPED = 1e-5, 1 / 4e7
_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def register_seconds(cycles: int, array: Accelerator, schedule: str | Schedule | None = None) -> float:
    """About how many seconds a run at register fidelity takes as a scan on one core of a CPU, without compiling it.

    Within a factor of two or so on another CPU of the same age. By a kernel (``registers``) it takes less.

    >>> round(register_seconds(10**9, Accelerator(128, 128)))  # two hours
    7027

    Args:
        cycles: of the array, in closed form.
        array: single-buffered or double-buffered, which takes about sixty times as long.
        schedule: that they are of, if it is one; where its tiles depend on each other (sums on either link, an
            overlapped drain), as long as double-buffered.
    """
    overlapped = array.double_buffered or (schedule is not None and find(schedule).couples_tiles)
    of_cycle, of_pe = _OVERLAPPED if overlapped else _SERIAL
    return cycles * (of_cycle + array.pes * of_pe)


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(7027), duration(95), duration(0.2), duration(2e6)
    ('about 2.0 h', 'about 1.6 min', 'about 0.2 s', 'about 23 days')
    """
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    value = seconds / size
    return f"about {value:,.{0 if value >= 10 else 1}f} {unit}"
