"""jaxgrad.costs.crossings: which memory gets what from which; how much is held by ``test_levels``."""

from __future__ import annotations

from jaxgrad.array.counts import Key
from jaxgrad.costs.crossings import memories, moved, sources
from jaxgrad.costs.nests import Nest
from jaxgrad.costs.search import Run
from jaxgrad.costs.tiers import Outer, Tier
from jaxgrad.costs.transfers import Shapes
from jaxgrad.costs.widths import Words
from jaxgrad.hardware.level import KEPT

LAYER = Shapes(4, 6, 8, 24)
NEST = Nest(("y",), "bnk")
FOR_X = Tier("for_x", frozenset({"x"}), 0, 1, 1)
FOR_ALL = Tier("for_all", frozenset(KEPT), 0, 1, 1)
DRAM = Tier("dram", frozenset(KEPT), 0, 1, 1)
AROUND = (Outer(FOR_X, NEST, {"b": 4, "k": 6, "n": 4}), Outer(FOR_ALL, NEST, LAYER.sizes))
RUN = Run((), (NEST,), {"b": 2, "k": 3, "n": 4}, AROUND)


def test_a_tensor_passes_the_memories_that_do_not_keep_it() -> None:
    assert [name for name, _, _ in memories(RUN)] == ["sram", "for_x", "for_all"]
    assert {(place, tensor, tier.name) for place, tensor, tier in sources(RUN, (DRAM,))} == {
        *((0, "x", "for_x"), (0, "w", "for_all"), (0, "y", "for_all")),
        (1, "x", "for_all"),
        *((2, "x", "dram"), (2, "w", "dram"), (2, "y", "dram")),
    }


def test_each_link_has_the_words_that_its_inner_memory_wants() -> None:
    """X comes into the scratchpad for each of the two blocks of n, and for both at once into ``for_x``."""
    links = moved(RUN, (DRAM,), LAYER.sizes, Words(LAYER), lambda _: 0)
    assert links["sram", "for_x"] == {Key("for_x", "x", "reads"): 2 * 24}
    assert links["for_x", "for_all"] == {Key("for_all", "x", "reads"): 24}
    assert links["sram", "for_all"] == {
        Key("for_all", "w", "reads"): 2 * 48,
        Key("for_all", "y", "writes"): 32,
        Key("for_all", "psum", "reads"): 0,
        Key("for_all", "psum", "writes"): 0,
    }
    assert links["for_all", "dram"][Key("dram", "w", "reads")] == 48
