"""Labels cut to a width: no longer than that, and as different as the names were."""

from __future__ import annotations

import pytest

from jaxgrad.reports.labels import told_apart

SHARED = "a configuration with a long name, "


@pytest.mark.parametrize(
    "names",
    [
        ["short", "names"],
        [SHARED + "first", SHARED + "second", "short"],
        [f"{SHARED}{n}, and then the same words again" for n in range(12)],
        [f"{n} {SHARED * 3}" for n in range(12)],
        [SHARED, SHARED, SHARED + "!"],
        ["x" * n for n in range(10, 120)],
        ["[/b] $x$ \u00e9\u4e2d" * 9 + end for end in ("a", "b")],
        [SHARED * 4 + middle + SHARED * 4 for middle in ("one thing" * 5, "another" * 9)],
    ],
)
@pytest.mark.parametrize("length", [8, 16, 30])
def test_names_fit_and_stay_apart(names: list[str], length: int) -> None:
    cut = told_apart(names, length)
    assert max(map(len, cut)) <= length
    assert len(set(zip(names, cut, strict=True))) == len(set(names)) == len(set(cut))
    assert all(short == name for name, short in zip(names, cut, strict=True) if len(name) <= length)


def test_what_differs_is_what_is_left() -> None:
    names = [f"encoder/layers/{n}/self_attention/output" for n in (3, 14)]
    assert told_apart(names, 20) == ["\u2026/layers/3/self_att\u2026", "\u2026/layers/14/self_at\u2026"]
