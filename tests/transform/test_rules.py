"""Rules by path: the first that matches wins, what none matches stays with XLA, and what matches nothing is said."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import Array

from jaxgrad import Accelerator, Emulation, Gemm, count, count_forward, emulate_function
from jaxgrad.programs import kinds
from jaxgrad.transform.rules import Rule, Rules
from tests.refusals import Refusal, assert_refused
from tests.transform.truth import EMULATION, XW, XWV, V, W, X, assert_equal, closed_form, shape_counts

NARROW, WIDE = Emulation(Accelerator(2, 2)), Emulation(Accelerator(8, 8), "sequential", "tile")


def net(ws: tuple[Array, Array], x: Array) -> Array:
    with kinds.scope(None, "body.up"):
        x = jax.nn.relu(x @ ws[0])
    with kinds.scope(None, "head"):
        return (x @ ws[1]).sum()


STEP = jax.grad(net, (0, 1))


def test_each_product_runs_where_the_first_rule_for_its_path_says() -> None:
    rules = [Rule("body.*", WIDE), Rule("*", NARROW)]
    out, tally = jax.jit(emulate_function(STEP, rules))((W, V), X)
    assert_equal(out, STEP((W, V), X))
    assert tally.notes == ()
    for label, gemm, own in (("body.up", XW, WIDE), ("head", XWV, NARROW)):
        counters = tally.sites[label]
        assert shape_counts(counters.forward) == shape_counts(count_forward(gemm, own.array))
        assert shape_counts(counters.backward) == shape_counts(count(gemm, own.array, own.schedule))
    # The other way round, the first one takes all.
    _, tally = jax.jit(emulate_function(STEP, rules[::-1]))((W, V), X)
    both = closed_form(*(count(gemm, NARROW.array) for gemm in (XW, XWV)))
    assert shape_counts(tally.backward) == both
    assert tally.notes == ("rule 'body.*': no product is its own; there are body.up, head",)


@pytest.mark.parametrize("rules", [[Rule("head", EMULATION)], [("body*", None), ("head", EMULATION)]])
def test_what_no_rule_takes_is_left_and_named_with_its_macs(rules: list[Rule]) -> None:
    out, tally = jax.jit(emulate_function(STEP, rules))((W, V), X)
    assert_equal(out, STEP((W, V), X))
    assert list(tally.sites) == ["head"]
    (note,) = tally.notes
    assert "dot_general of body.up left to XLA" in note
    assert note.endswith("210 MACs forward, 420 backward")  # 5 x 6 x 7


def test_derivatives_taken_outside_keep_to_the_rules() -> None:
    def loss(ws: tuple[Array, Array]) -> Array:
        return emulate_function(net, [Rule("body.*", Emulation(Accelerator(3, 4), fidelity="tile"))])(ws, X)[0]

    assert_equal(jax.grad(loss)((W, V)), jax.grad(net)((W, V), X))


def test_several_products_of_one_module_are_numbered_and_one_line_is_one() -> None:
    def attend(x: Array) -> Array:
        with kinds.scope(None, "attention"):
            weight = jnp.tanh(x @ x.T)
            for _ in range(2):
                x = weight @ x
            return x

    out, tally = emulate_function(attend, [Rule("attention#2", NARROW), Rule("attention", EMULATION)])(X)
    assert_equal(out, attend(X))
    macs = {label: counters.forward.as_dict()["macs"] for label, counters in tally.sites.items()}
    assert macs == {"attention#1": 5 * 6 * 5, "attention#2": 2 * 5 * 5 * 6}
    own = count_forward(Gemm(5, 6, 5), EMULATION.array)
    assert shape_counts(tally.sites["attention#1"].forward) == shape_counts(own)


def test_rules_of_a_part_of_a_program() -> None:
    rules = Rules.of([Rule("model#2", NARROW), Rule("dense", WIDE)]).within("generator")
    labels = ("generator.dense", "generator#2", "generator", "generator2.dense", "dense")
    assert [rules.index(label) for label in labels] == [1, 0, None, None, None]


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: emulate_function(net, []), "emulation", "[]", "Rule("),
        Refusal(lambda: emulate_function(net, [Rule("*", EMULATION), "head"]), "rules[1]", "'head'", "Rule("),  # type: ignore[list-item]
        Refusal(lambda: emulate_function(net, [Rule("*", Accelerator(2, 2))]), "rules[0]", "Accelerator", "Rule("),  # type: ignore[arg-type]
    ],
    ids=lambda refusal: refusal.shown,
)
def test_refuses(refusal: Refusal) -> None:
    assert_refused(refusal)
