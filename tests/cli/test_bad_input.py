"""Bad input: one line that names the field, the value and what would do; exit code 2; nothing left behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.cli import main
from jaxgrad.cli.app import COMMANDS
from tests.command import COMMAND, ENVIRONMENT


def prepare(folder: Path) -> None:
    """What some of the bad inputs name."""
    (folder / "taken").mkdir()
    (folder / "taken" / "thesis.tex").write_text("")
    (folder / "file").write_text("")
    (folder / "bad.toml").write_text("[array\n")
    (folder / "rows.toml").write_text("[array]\nrows = 0\n")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "config.toml").write_text("[array]\nrows = 0\n")


# What the user types -> how the one line on stderr goes on after "error: ".
BAD_INPUT = {
    "trian": f"command: got 'trian'; choose one of {', '.join(COMMANDS)} (did you mean 'train'?)",
    "--train": "option: got '--train'; ",
    "train --row 3": "option: got '--row'; did you mean ",
    "train -x": "option: got '-x'; see jaxgrad train --help",
    "train lenet": "argument: got 'lenet'; leave it out, train takes no more: see jaxgrad train --help",
    "train --rows": "--rows: got no value; ",
    "gemm --json=3": "--json: got a value; ",
    "train --rows 0": "--rows: got 0; give a whole number of at least 1",
    "train --rows -4": "--rows: got -4; give a whole number of at least 1",
    "train --cols 4.5": "--cols: got '4.5'; give a whole number of at least 1",
    "train --cols wide": "--cols: got 'wide'; give a whole number of at least 1",
    "train --batch-size 0": "--batch-size: got 0; give a whole number of at least 1",
    "train --batch-size 100000": "--batch-size: got 100000; digits has 1437 training images, give at most that",
    "train --epochs 0": "--epochs: got 0; give a whole number of at least 1",
    "train --epochs 1e3": "--epochs: got '1e3'; give a whole number of at least 1",
    "train --seed -1": "--seed: got -1; give a whole number from 0 to 2**32 - 1",
    "train --checkpoint-every 0": "--checkpoint-every: got 0; give a whole number of at least 1",
    "train --learning-rate nan": "--learning-rate: got nan; give a number above 0",
    "train --learning-rate inf": "--learning-rate: got inf; give a number above 0",
    "train --learning-rate 0": "--learning-rate: got 0.0; give a number above 0",
    "train --learning-rate fast": "--learning-rate: got 'fast'; give a number above 0",
    "train --momentum 0.5": "--momentum: got 0.5; adam has none: leave it out or choose ",
    "train --momentum 1 --optimizer momentum": "--momentum: got 1.0; give a number from 0 up to, not including, 1",
    "train --weight-decay -1 --optimizer sgd": "--weight-decay: got -1.0; give a number of at least 0",
    "train --optimizer adm": "--optimizer: got 'adm'; choose one of sgd, momentum, adam, adamw, rmsprop (did you mean ",
    "train --decay linar": "--decay: got 'linar'; choose one of ",
    "train --model alxnet": "--model: got 'alxnet'; choose one of mlp, lenet, resnet20, ",
    "train --model alexnet": "--model: got 'alexnet' for images of 8x8x1; alexnet needs ",
    "train --model net.py": "--model: got 'net.py'; say which network of it, net.py:NAME",
    "train --model none.py:Net": "--model: got 'none.py'; there is no such file in ",
    "train --set model.name=none.py:Net": "--set model.name: got 'none.py'; there is no such file in ",
    "train --data imagenet": "--data: got 'imagenet'; choose one of digits, mnist, cifar10",
    "train --data mnist": "--folder: got None; name the folder that holds the mnist files",
    "train --data mnist --folder nowhere": "--folder: got 'nowhere', which is no folder; name ",
    "train --data mnist --folder empty": "empty/train-images-idx3-ubyte: missing, ",
    "train --data cifar10 --folder empty": "empty/data_batch_1.bin: missing; ",
    "train --folder empty": "--folder: got 'empty'; digits comes with scikit-learn, leave the folder out",
    "train --schedule interleave": f"--schedule: got 'interleave'; choose one of {', '.join(TRAINING_SCHEDULES)} "
    "(did you mean 'interleaved'?)",
    "train --schedule ws": "--schedule: got 'ws'; choose one of interleaved, ",
    "train --fidelity exact": "--fidelity: got 'exact'; choose one of register, tile, native",
    "train --forward up": "--forward: got 'up'; choose one of ws, os, is",
    "train --objective energy": "--objective: got 'energy'; choose one of cycles, accesses",
    "gemm --objective edp": "--objective: got 'edp'; choose one of cycles, accesses",
    "train --weight-update magic": "--weight-update: got 'magic'; choose one of none, separate, in_array",
    "train --weight-update in_array": "--weight-update: got 'in_array'; it needs plain optimizer.name = 'sgd'",
    "train --weight-update in_array --schedule auto": "--weight-update: got 'in_array'; it needs emulation.schedule = ",
    "train --objective time": "--objective: got 'time'; choose one of cycles, accesses",
    "train --set array.rows": "--set: got 'array.rows'; give KEY=VALUE, such as array.rows=8",
    "train --set array.row=3": "--set array.row: got '3'; there is no such key; choose one of rows, cols, ",
    "train --set rows=3": "--set rows: got '3'; name a key by its section, such as array.rows=8",
    "train --set array.rows=0": "--set array.rows: got 0; give a whole number of at least 1",
    "train --set array.rows=0 --rows 0": "--rows: got 0; give a whole number of at least 1",
    "train --config none.toml": "--config: got 'none.toml'; there is no such file",
    "train --config empty": "--config: got 'empty'; give a file that can be read",
    "train --config bad.toml": "--config: got 'bad.toml'; mend its TOML: ",
    "train --config rows.toml": "array.rows in rows.toml: got 0; give a whole number of at least 1",
    "train --out taken": "--out: got 'taken', which is not empty; give another folder",
    "train --out broken": "--out: got 'broken', which is not empty; give another folder, or --resume broken to go on ",
    "train --out file": "--out: got 'file', which is not a folder; give another path",
    "train --out file/run": "--out: got 'file/run'; ",
    "train --out ": "--out: got ''; give the path of a folder",
    f"train --out {'long' * 100}": f"{'long' * 100}: got File name too long; give a path that can be used",
    "train --resume": "--resume: got no folder; give the run directory to go on with",
    "train --resume taken": "--resume: got 'taken'; there is no run in it: give the folder of one",
    "train --resume --out taken": "--resume: got 'taken'; there is no run in it: give the folder of one",
    "train --resume file": "--resume: got 'file'; there is no run in it: give the folder of one",
    "train --resume file/run": "--resume: got 'file/run'; ",
    "train --resume nowhere --rows 0": "--rows: got 0; give a whole number of at least 1",
    "train --resume empty --batch-size 100000": "--batch-size: got 100000; digits has 1437 training images, give at ",
    "train --resume broken": "array.rows in broken/config.toml: got 0; give a whole number of at least 1",
    "train --resume empty --out other": "--out: got 'other'; a run goes on where it is, in 'empty': leave --out away",
    "gemm --batch 0": "--batch: got 0; give a whole number of at least 1",
    "gemm --batch many": "--batch: got 'many'; give a whole number of at least 1",
    "gemm --in-features -1": "--in-features: got -1; give a whole number of at least 1",
    "gemm --out-features 1.5": "--out-features: got '1.5'; give a whole number of at least 1",
    "gemm --rows 0": "--rows: got 0; give a whole number of at least 1",
    "gemm --cols x": "--cols: got 'x'; give a whole number of at least 1",
    "gemm --seed -1": "--seed: got -1; give a whole number of at least 0",
    "gemm --schedule interleave": "--schedule: got 'interleave'; choose one of ws, os, interleaved, interleaved_n, ",
    "gemm --fidelity exact": "--fidelity: got 'exact'; choose one of register, tile, native",
    "gemm --objective time": "--objective: got 'time'; choose one of cycles, accesses",
    "gemm --weight-update in_array --schedule os": "--weight-update: got 'in_array' with schedule 'os'; ",
    "gemm --batch 1000000000 --in-features 1000000000": "sizes: got 1000000000x1000000000x48 on 16x16; ",
    "gemm --fidelity register --rows 1000000000": "sizes: got 32x64x48 on 1000000000x16; give smaller ones",
    "compare --objective energy": "--objective: got 'energy'; give a machine with a memory and an energy table or a ",
    "compare --model alxnet": "--model: got 'alxnet'; choose one of mlp, lenet, resnet20, ",
    "compare --data imagenet": "--data: got 'imagenet'; choose one of digits, mnist, cifar10",
    "compare --input-shape 8x8": "--input-shape: got '8x8'; give height, width and channels, such as 32x32x3",
    "compare --input-shape 8x8x0": "--input-shape: got '8x8x0'; give height, width and channels, such as 32x32x3",
    "compare --input-shape 2x2x1": "--input-shape: got (2, 2, 1); lenet needs height and width of at least 4",
    "compare --input-shape 8x8x1 --data digits": "--input-shape: got '8x8x1' and --data digits; give one of the two",
    "compare --classes none": "--classes: got 'none'; give a whole number of at least 1",
    "compare --batch 0": "--batch: got 0; give a whole number of at least 1",
    "compare --rows 0": "--rows: got 0; give a whole number of at least 1",
    "compare --forward up": "--forward: got 'up'; choose one of ws, os, is",
    "compare --weight-update magic": "--weight-update: got 'magic'; choose one of none, separate, in_array",
    "compare --objective time": "--objective: got 'time'; choose one of cycles, accesses",
    "compare --out taken": "--out: got 'taken', which is not empty; give another folder",
    "compare --out file/x": "--out: got 'file/x'; ",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "line"), BAD_INPUT.items(), ids=list(BAD_INPUT))
def test_bad_input_ends_in_one_line_and_leaves_nothing(
    typed: str, line: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    assert main(typed.split(" ")) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {line}")
    assert re.fullmatch(r"error: [^\n]+\n", printed.err)
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.parametrize(
    "typed",
    [
        "train --rows 0",
        "gemm --batch many",
        "compare --input-shape 8x8",
        "run --store= small.toml",
        "sweep small.toml --cluster slurm",
        "search --out= small.toml",
        "trace --max-tiles 1.5",
        "scalesim --batch 99999999999999999999x",
        "profile train.py:step --cols -1",
        f"compare --rows {'9' * 5000}",
        "gemm --fidelity exact",
        "train --resume=",
    ],
    ids=lambda typed: typed[:30],
)
def test_bad_input_ends_so_in_a_process_of_its_own_too(typed: str, elsewhere: Path) -> None:
    ended = subprocess.run([*COMMAND, *typed.split()], capture_output=True, text=True, env=ENVIRONMENT)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"error: --[a-z-]+: got [^\n]{1,70}; [^\n]+\n", ended.stderr)
    assert list(elsewhere.iterdir()) == []
