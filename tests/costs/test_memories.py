"""jaxgrad.costs.memories: one list of all memories, whose words and energies are all that a step's costs have."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jaxgrad.array.counts import ACC_UPDATES, ACCESSES, DRAM, FILLS, MACS, READS, SRAM, WRITE_BACKS, WRITES
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import Phase, StepCost, activities, energies_pj, memory_levels, step_cost
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, Precision, load_technology
from jaxgrad.programs import LayerGemm
from tests.refusals import Refusal, assert_refused

LEVELS = (
    Level("near", 1 << 10, 16.0, keeps=("x", "dy", "dx", "y")),
    Level("wide", 1 << 13, width_bits=64, ports=2, shared_by=2),
)
TECHNOLOGY = load_technology("horowitz-45nm")
MACHINE = Machine(Accelerator(4, 4), Memory(1 << 9, 1.0, 0.5, levels=LEVELS), Precision.of("bf16"), TECHNOLOGY, cores=2)
LAYERS = [LayerGemm("wide", Gemm(24, 18, 21), 3, needs_dx=True)]
SCHEDULES = ("interleaved", "sequential")
NAMES = ("near", "wide")


@pytest.fixture(scope="module", name="cost")
def costed() -> StepCost:
    return step_cost(LAYERS, Emulation(MACHINE.array), SCHEDULES, machine=MACHINE)


def test_the_list_begins_with_the_registers() -> None:
    register, sram, near, wide, dram = memory_levels(MACHINE, "interleaved")
    assert [level.name for level in (register, sram, near, wide, dram)] == ["register", "sram", "near", "wide", "dram"]
    assert (register.instances, register.shared_by, register.keeps) == (32, 1, ("w", "dw"))
    assert (register.size_words, register.size_bytes) == (2, 6.0)  # w in bf16, its gradient's sum in fp32
    assert register.pj == {
        "register": {"weight": TECHNOLOGY.register_pj_per_bit * 16, "accumulator": TECHNOLOGY.register_pj_per_bit * 32},
        "hop": {name: TECHNOLOGY.hop_pj_per_bit * bits for name, bits in (("x", 16), ("dy", 16), ("psum", 32))},
    }
    assert (sram.instances, sram.size_bytes, sram.gb_per_s, sram.width_bits) == (2, 512, None, None)
    assert (near.instances, near.keeps, near.gb_per_s) == (2, ("x", "y", "dy", "dx"), 16.0)
    assert (wide.instances, wide.shared_by, wide.width_bits, wide.gb_per_s) == (1, 2, 64, 8.0)
    assert wide.pj["wide"]["x"] == TECHNOLOGY.sram_access_pj_per_bit(1 << 13) * 64
    assert (dram.instances, dram.size_bytes, dram.gb_per_s) == (2, None, 1.0)


@pytest.mark.parametrize(
    ("schedule", "keeps", "words", "size"),
    [
        ("ws", ("w",), 2, 4.0),
        ("os", ("dw",), 2, 8.0),
        ("sequential", ("w", "dw"), 4, 12.0),
        ("ws_only", ("x", "w", "dy"), 2, 4.0),  # dW keeps either of its operands, each in w's place
        ("os_only", ("dx", "dw"), 2, 8.0),
        ("auto", ("x", "w", "dy", "dx", "dw"), 4, 12.0),
    ],
)
def test_registers_are_what_the_schedule_s_passes_keep(
    schedule: str, keeps: tuple[str, ...], words: int, size: float
) -> None:
    """Each with a shadow where PEs are double-buffered."""
    register, _ = memory_levels(
        Machine(Accelerator(2, 3, double_buffered=True), precision=Precision.of("bf16")), schedule
    )
    assert (register.keeps, register.size_words, register.size_bytes) == (keeps, words, size)
    assert register.pj == {}


def test_words_of_all_memories_are_those_of_the_step(cost: StepCost) -> None:
    for schedule in SCHEDULES:
        counts = cost.step(schedule)
        done = activities(counts, NAMES)
        assert list(done) == ["register", "sram", *NAMES, "dram"]
        assert (done["register"].reads, done["register"].writes) == (counts[MACS], counts[ACC_UPDATES])
        outward = done["register"].fills + done["register"].write_backs
        assert outward == done["sram"].reads + done["sram"].writes == sum(counts[key] for key in ACCESSES)
        # What a memory takes from outside is what the others give: nothing is lost between them.
        given = sum(done[name].reads for name in (*NAMES, "dram"))
        assert given == sum(done[name].fills for name in ("sram", *NAMES))
        taken = sum(done[name].writes for name in (*NAMES, "dram"))
        assert taken == sum(done[name].write_backs for name in ("sram", *NAMES))
        assert done["near"].accesses == 0 < done["wide"].accesses < done["wide"].reads + done["wide"].fills
        of_levels = sum(
            count
            for key, count in counts.items()
            if key.level in (SRAM, DRAM, *NAMES) and key.action in (READS, WRITES, FILLS, WRITE_BACKS)
        )
        told = (done[name] for name in ("sram", *NAMES, "dram"))
        moved = sum(one.reads + one.writes + one.fills + one.write_backs for one in told)
        assert moved == of_levels + done["sram"].fills + done["sram"].write_backs


def test_energies_of_all_memories_are_those_of_the_step(cost: StepCost) -> None:
    for schedule, memories in json.loads(json.dumps(cost.as_dict()))["memories"].items():
        spent: dict[str, float] = {}
        for part in cost.energy_pj(schedule).values():
            for component, pj in part.items():
                spent[component] = spent.get(component, 0.0) + pj
        assert [memory["name"] for memory in memories] == ["register", "sram", *NAMES, "dram"]
        rest = sum(spent[component] for component in ("mac", "idle", "leakage", "vector"))
        assert sum(memory["energy_pj"] for memory in memories) + rest == pytest.approx(sum(spent.values()))
        assert energies_pj(spent, NAMES) == {memory["name"]: memory["energy_pj"] for memory in memories}
        register, sram, _, wide, dram = memories
        done, pj = register["done"], register["pj"]["register"]
        reads = (done["reads"] - done["writes"]) * pj["weight"] + 2 * done["writes"] * pj["accumulator"]
        assert reads == pytest.approx(spent["register"])
        assert wide["done"]["accesses"] * wide["pj"]["wide"]["x"] == pytest.approx(wide["energy_pj"])
        assert dram["energy_pj"] == spent["dram"]
        assert sram["done"]["reads"] == register["done"]["fills"]


def test_a_width_of_a_word_is_one_access_a_word_and_a_wide_one_takes_more_energy() -> None:
    """Rows here are short: of 64 bytes most go unused."""

    def costed(width_bits: int) -> StepCost:
        level = Level("wide", 1 << 13, 64.0, width_bits=width_bits)
        machine = Machine(Accelerator(4, 4), Memory(1 << 9, 1.0, levels=(level,)), Precision.of("int8"), TECHNOLOGY)
        return step_cost(LAYERS, Emulation(machine.array), ["sequential"], machine=machine)

    word, broad = costed(8), costed(512)
    forward = (one.energy_pj("sequential")[Phase("forward")]["wide"] for one in (word, broad))
    assert next(forward) < next(forward)
    bytes_moved = sum(
        count * (4 if key.tensor in ("psum", "dw") else 1)  # int32 sums
        for key, count in word.step("sequential").items()
        if key.level == "wide" and key.action in (READS, WRITES, FILLS, WRITE_BACKS)
    )
    assert activities(word.step("sequential"), ["wide"])["wide"].accesses == bytes_moved > 0


def test_memories_are_those_of_a_machine(cost: StepCost) -> None:
    without = replace(cost, machine=None)
    assert_refused(Refusal(lambda: without.memories("sequential"), "machine", "none", "memories are those of one"))
    assert "memories" not in without.as_dict()
    bare = step_cost(LAYERS, Emulation(MACHINE.array), ["sequential"])
    register, sram = bare.memories("sequential")
    assert (register["size_words"], sram["size_bytes"]) == (2, None)
    assert "energy_pj" not in register
