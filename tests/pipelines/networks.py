"""Small networks of any kind, for pipelines."""

from __future__ import annotations

from hypothesis import strategies as st

from jaxgrad.pipelines.network import Layer, Network, Tensor

times = st.integers(0, 9)


@st.composite
def layers(draw: st.DrawFn, number: int) -> Layer:
    """One whose parts together take no more than apart, and no less than the longest."""
    halves = draw(st.one_of(st.just(()), st.tuples(times), st.tuples(times, times)))
    dx = draw(st.integers(0, sum(halves)))
    dw = draw(times)
    backward = draw(st.integers(max(dx, dw), dx + dw))
    update = draw(st.integers(0, 5)) if dw else 0
    words, saved = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    return Layer(str(number), draw(times), halves, dx, dw, backward, words, saved, update)


@st.composite
def tensors(draw: st.DrawFn, count: int) -> Tensor:
    source = draw(st.integers(-1, count - 1))
    target = draw(st.integers(source + 1, count))
    return Tensor(
        draw(st.integers(0, 3)),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 30)),
        None if source < 0 else source,
        None if target == count else target,
        draw(st.sampled_from("xwy")),
        draw(st.booleans()),
    )


@st.composite
def networks(draw: st.DrawFn, most: int = 4) -> Network:
    count = draw(st.integers(1, most))
    return Network(
        tuple(draw(layers(number)) for number in range(count)),
        tuple(draw(st.lists(tensors(count), max_size=5))),
        "macs",
    )


def plain(*times: int) -> Network:
    """Dense layers without their first one's dX: each product takes the time, each tensor ten words."""
    count = len(times)
    return Network(
        tuple(
            Layer(str(number), time, (time // 2, time - time // 2) if number else (), time if number else 0, time,
                  2 * time if number else time, 100, 10)
            for number, time in enumerate(times)
        ),
        tuple(
            Tensor(number, 0, 10, number - 1 if number else None, number if number < count else None, "x", number > 0)
            for number in range(count + 1)
        ),
        "macs",
    )  # fmt: skip
