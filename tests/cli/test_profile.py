"""``jaxgrad profile``: a function of the user's, read off its trace."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from jaxgrad.array import schedules
from jaxgrad.cli import main

SOURCE = """
import jax, jax.numpy as jnp

def loss(w1, w2, x, scale=1):
    return scale * (jnp.tanh(x @ w1) @ w2).sum()

step = jax.jit(jax.grad(loss, (0, 1)))

class Names:
    step = staticmethod(step)

def looped(w, x):
    return jax.lax.while_loop(lambda x: x.sum() < 1, lambda x: x @ w, x)

def branching(x):
    return x if x.sum() > 0 else -x

def plain(x):
    return x + 1

number = 3

def example_args():
    return jnp.ones((8, 5)), jnp.ones((5, 3)), jnp.ones((4, 8))
"""
ARGS = ["--arg", "f32[8,5]", "--arg", "float32[5, 3]", "--arg", "bf16[4,8]"]


@pytest.fixture
def mine(elsewhere: Path) -> Path:
    path = elsewhere / "mine_to_profile.py"
    path.write_text(SOURCE)
    return path


def test_the_table_the_forward_pass_and_the_vector_unit(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", f"{mine}:step"]) == 0
    text = capsys.readouterr().out
    assert "2 forward GEMMs, 1 dX, 2 dW; 16x16 array" in text
    assert "Backward pass of one call of step on a 16x16 array" in text
    assert "Forward pass: " in text
    assert "Vector unit, backward: " in text
    assert "mine_to_profile.py:5#1" in text


def test_an_estimator_s_gemms_are_costed(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """dW of half of the columns of each x, 4 of 8 and 3 of 5; dX of the second layer is whole."""
    rad = ["--estimator", "rad", "--keep", "0.5", "--mode", "same"]
    assert main(["profile", f"{mine}:step", "--json", *rad]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["config"]["estimator"] == {"name": "rad", "keep": 0.5, "mode": "same"}
    assert told["total"]["backward"]["ws_only"]["macs"] == 4 * 5 * 4 + (4 * 3 * 3 + 4 * 3 * 5)
    assert main(["profile", f"{mine}:step", "--mode", "same"]) == 2
    assert "error: --mode: got 'same'; exact gradients have none" in capsys.readouterr().err


def test_a_machine_with_a_level_tells_its_own(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine.parent / "machine.toml").write_text(
        '[machine]\nrows = 2\ncols = 2\ntechnology = "horowitz-45nm"\n[machine.memory]\nsram_kib = 1\n'
        'dram_gb_per_s = 1.0\n[[machine.memory.levels]]\nname = "l2"\nsize_kib = 64\ngb_per_s = 8.0\n'
    )
    typed = ["profile", f"{mine}:step", "--arg", "f32[80,50]", "--arg", "f32[50,30]", "--arg", "f32[40,80]"]
    assert main([*typed, "--machine", "machine.toml"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("Memories of the step", "l2", "filled"))
    assert main([*typed, "--machine", "machine.toml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"]["backward"]["sequential"]["l2_x_fills"] > 0
    assert found["total"]["forward"]["l2_stall_cycles"] >= 0
    assert found["energy_pj"]["sequential"]["dw"]["l2"] > 0
    assert found["memories"]["sequential"][0]["keeps"] == ["w", "dw"]


def test_a_schedule_that_the_user_s_file_registers_is_compared(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = """
from jaxgrad.array import schedules
from jaxgrad.array.mapping import Mapping, Product

pair = Mapping((Product("ws", "dw"), Product("os", "dx")), "nbk")
schedules.register(schedules.Schedule("x_stays", [pair], description="X in the PEs"))
"""
    mine.write_text(SOURCE + own)
    try:
        assert main(["profile", f"{mine}:step"]) == 0
        text = capsys.readouterr().out
        assert main(["profile", f"{mine}:step", "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
    finally:
        schedules.unregister("x_stays")
    assert "x_stays" in text
    assert "X in the PEs" in text
    assert result["total"]["backward"]["x_stays"]["macs"] == result["total"]["backward"]["interleaved"]["macs"]
    for layer in result["layers"].values():
        (ran,) = layer["ran"]["auto"]
        assert layer["backward"]["auto"] == layer["backward"][ran]


@pytest.mark.parametrize("name", ["step", "Names.step"])
def test_json_by_module_and_by_arguments(name: str, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", f"{mine.stem}:{name}", *ARGS, "--rows", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["config"]["rows"] == 2
    assert result["notes"] == []
    gemms = [layer["gemms_per_step"][0] for layer in result["layers"].values()]
    assert [(own["batch"], own["in_features"], own["out_features"], own["needs_dx"]) for own in gemms] == [
        (4, 8, 5, False),
        (4, 5, 3, True),
    ]
    stored = result["stored_activation_words"]
    assert list(stored["layers"].values()) == [4 * 8, 4 * 5]
    assert stored["relu_masks"] == {}
    assert {work["phase"] for work in result["vector"]} == {"forward", "backward"}
    assert [(edge["words"], edge["operand"], edge["carried"]) for edge in result["edges"]][:2] == [
        (4 * 8, "x", False),
        (4 * 5, "x", False),
    ]
    ends = [(edge["source"], edge["target"]) for edge in result["edges"]]
    assert ends == list(itertools.pairwise(["input", *result["layers"], "output"]))


def test_a_while_loop_is_noted_until_its_trips_are_given(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["profile", f"{mine}:looped", "--arg", "f32[3,3]", "--arg", "f32[2,3]", "--json"]
    assert main(arguments) == 0
    once = json.loads(capsys.readouterr().out)
    (note,) = once["notes"]
    name = note.partition(": ")[0]
    for trips in ("9", f"{name}=9"):
        assert main([*arguments, "--trips", trips]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["notes"] == []
        assert result["total"]["forward"]["macs"] == 9 * once["total"]["forward"]["macs"]


def test_a_function_without_gradients_has_a_forward_pass_alone(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", f"{mine}:loss"]) == 0
    text = capsys.readouterr().out
    assert "Backward pass" not in text
    assert "Forward pass: " in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["FILE"], ["MODULE:FUNCTION"]),
        (["FILE:nothing"], ["has no nothing"]),
        (["FILE:number"], ["to call"]),
        (["FILE:branching", "--arg", "f32[3]"], ["branching", "can't be traced"]),
        (["FILE:plain", "--arg", "f32[3]"], ["no matrix product"]),
        (["FILE:step", "--arg", "f32[3]"], ["can't be traced"]),
        (["FILE:step", "--arg", "q[3]"], ["--arg", "q[3]", "f32"]),
        (["FILE:step", "--arg", "f32(3)"], ["--arg", "f32(3)"]),
        (["FILE:looped", "--trips", "0", "--arg", "f32[3,3]", "--arg", "f32[2,3]"], ["--trips", "at least 1"]),
        (["FILE:looped", "--trips", "a=2", "--arg", "f32[3,3]", "--arg", "f32[2,3]"], ["--trips", "while@"]),
        (["FILE:looped", "--trips", "2", "--trips", "3"], ["--trips", "NAME=N"]),
        (["FILE:step", "--dim", "batch=3"], ["--dim", "ONNX"]),
        (["no_such_module_here:f"], ["can't be imported"]),
        (["no_such_file.py:f"], ["no such file"]),
        (["FILE:step", "--rows", "0"], ["--rows", "at least 1"]),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: list[str], mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *(own.replace("FILE", str(mine)) for own in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("error: ")
    assert all(word in captured.err for word in words), captured.err


def test_an_onnx_model(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "dense")],
        "graph",
        [helper.make_tensor_value_info("x", floats, ["batch", 8])],
        [helper.make_tensor_value_info("y", floats, None)],
        [helper.make_tensor("w", floats, [8, 5], [0.0] * 40)],
    )
    onnx.save(helper.make_model(graph), "model.onnx")
    assert main(["profile", "model.onnx", "--dim", "batch=4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (gemm,) = result["layers"]["dense"]["gemms_per_step"]
    assert (gemm["batch"], gemm["in_features"], gemm["out_features"]) == (4, 8, 5)
    fields = {"tensor": 0, "words": 32, "operand": "x", "carried": False, "part": 0}
    assert result["edges"][0] == {"source": "input", "target": "dense"} | fields
    assert main(["profile", "model.onnx"]) == 2
    assert "--dim: got no size for axis 0 of input 'x'" in capsys.readouterr().err
    assert main(["profile", "model.onnx", "--dim", "batch"]) == 2
    assert "NAME=N" in capsys.readouterr().err


def test_an_onnx_model_takes_no_arguments(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "model.onnx", "--arg", "f32[3]"]) == 2
    assert capsys.readouterr().err.startswith("error: --arg: got one with model.onnx")


def test_an_onnx_model_with_what_is_not_counted(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["input", "w"], ["y"], "dense"),
            helper.make_node("Attention", ["y"], ["z"], "fused", domain="com.microsoft"),
        ],
        "graph",
        [helper.make_tensor_value_info("input", floats, [None, 8])],
        [helper.make_tensor_value_info("y", floats, None)],
        [helper.make_tensor("w", floats, [8, 5], [0.0] * 40)],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets), "model.onnx")
    assert main(["profile", "model.onnx", "--dim", "input:0=32"]) == 0
    assert "note: Attention (fused): not counted" in capsys.readouterr().out
    assert main(["profile", "model.onnx", "--dim", "input:0=32", "--strict"]) == 2
    assert capsys.readouterr().err.startswith("error: model.onnx: got Attention (fused), whose multiply-accumulates")
    assert main(["profile", "train:step", "--strict"]) == 2
    assert capsys.readouterr().err == "error: --strict: got it with train:step; it is for ONNX models\n"


def test_a_module_that_fails_is_named(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "broken_to_profile.py").write_text("raise RuntimeError('no\\nuse')\n")
    assert main(["profile", "broken_to_profile.py:f"]) == 2
    assert "RuntimeError: no use" in capsys.readouterr().err
    (elsewhere / "leaving_to_profile.py").write_text("import sys; sys.exit(0)\n")
    assert main(["profile", "leaving_to_profile.py:f"]) == 2
    assert "can't be imported (SystemExit: 0)" in capsys.readouterr().err
