"""jaxgrad.hardware.precision: widths, bytes, and which tensor is held in what."""

from __future__ import annotations

import doctest
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.hardware import FORMATS, Precision, precision
from jaxgrad.hardware.precision import PRODUCTS, TENSORS
from tests.refusals import Refusal, assert_refused

BITS = {
    "fp32": 32,
    "bf16": 16,
    "fp16": 16,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "int4": 4,
    "int2": 2,
    "ternary": 2,
    "int1": 1,
    "mxfp8": 8.25,  # 32 numbers share an exponent of 8 bits
    "mxint8": 8.25,
    "mxfp6": 6.25,
    "mxfp4": 4.25,
}


def test_widths() -> None:
    assert {name: kind.bits_per_word for name, kind in FORMATS.items()} == BITS


@given(name=st.sampled_from(sorted(FORMATS)), words=st.integers(0, 10**6))
def test_bytes_round_up_once(name: str, words: int) -> None:
    expected = math.ceil(words * Fraction(BITS[name]) / 8)
    assert Precision(x=name).bytes("x", words) == expected
    assert Precision(x=name).bytes("x", np.array([words]))[0] == expected
    assert Precision(x=name).bytes("y", words) == expected


def test_each_tensor_s_format() -> None:
    precision = Precision(x="int8", w="int16", dy="bf16", dw="fp16", accumulator="fp32")
    names = {tensor: precision.format(tensor).name for tensor in TENSORS}
    assert names == {
        "x": "int8",
        "y": "int8",
        "w": "int16",
        "dy": "bf16",
        "dx": "bf16",
        "dw": "fp16",
        "psum": "fp32",
    }


@pytest.mark.parametrize(
    ("operands", "sums"),
    [
        ("bf16", "fp32"),
        ("fp32", "fp32"),
        ("int8", "int32"),
        ("mxfp4", "fp32"),
        ("mxint8", "fp32"),
        ("int4", "int32"),
        ("ternary", "int32"),
        ("int1", "int32"),
    ],
)
def test_all_operands_in_one_format(operands: str, sums: str) -> None:
    assert Precision.of(operands) == Precision(operands, operands, operands, sums, sums)


def test_the_widest_operand_is_multiplied() -> None:
    assert Precision(x="int8", w="bf16", dy="int8").multiplier == "bf16"
    assert Precision(x="int8", w="int8", dy="fp32").multiplier == "fp32"
    assert Precision.of("mxfp4").multiplier == "mxfp4"
    assert Precision("int8", "int8", "int8", dw="fp32", accumulator="fp32").multiplier == "int8"


def test_what_each_product_multiplies() -> None:
    narrow = Precision(x="int4", w="int1", dy="bf16")
    assert [narrow.pair(product) for product in PRODUCTS] == [("int4", "int1"), ("bf16", "int1"), ("bf16", "int4")]
    assert narrow.datapath == ("bf16", "int4")
    assert Precision(x="int1", w="ternary", dy="int8").datapath == ("int8", "ternary")
    assert Precision(x="int2", w="bf16", dy="bf16").datapath == ("bf16", "bf16")
    assert {Precision.of("int8").pair(product) for product in PRODUCTS} == {("int8", "int8")}


def test_the_documented_examples() -> None:
    assert doctest.testmod(precision).failed == 0


BAD: list[Any] = ["float32", "", None, 16, "BF16"]


@pytest.mark.parametrize("field", ["x", "w", "dy", "dw", "accumulator"])
@pytest.mark.parametrize("value", BAD, ids=repr)
def test_refusals(field: str, value: Any) -> None:
    assert_refused(Refusal(lambda: Precision(**{field: value}), field, repr(value), "fp32, bf16"))
