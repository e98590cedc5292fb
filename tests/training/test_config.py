"""The configuration: what wins over what, what is filled in, and what is refused in which words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.autodiff.estimators import EXACT, Estimator, rad
from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Accelerator, Precision
from jaxgrad.networks.names import NAMES, OWN
from jaxgrad.pipelines.pipeline import LEARNABLE
from jaxgrad.training import optimizers
from jaxgrad.training.config import Config, Override, differences, resolve
from jaxgrad.training.mixed_precision import FORMATS


def given(*keys: str) -> list[Override]:
    """Overrides such as ``--set`` makes of ``key=value``."""
    pairs = [key.split("=") for key in keys]
    return [Override.of_text(key, value, f"--set {key}") for key, value in pairs]


def file(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_train_lenet_on_digits_interleaved() -> None:
    config = resolve()
    assert (config.model.name, config.data.name) == ("lenet", "digits")
    assert config.emulation_settings() == Emulation(Accelerator(16, 16), "interleaved", "native")


def test_overrides_win_over_the_file_and_the_last_over_the_first(tmp_path: Path) -> None:
    path = file(tmp_path, "[array]\nrows = 4\ncols = 5\n[train]\nepochs = 7\n")
    config = resolve(path, given("array.rows=8", "array.rows=9"))
    assert (config.array.rows, config.array.cols, config.train.epochs) == (9, 5, 7)


def test_text_becomes_what_the_key_is(tmp_path: Path) -> None:
    texts = given("array.double_buffered=true", "optimizer.learning_rate=1e-2", "train.seed=3", "data.folder=2024")
    config = resolve(None, texts)
    assert config.array.double_buffered is True
    assert config.optimizer.learning_rate == 0.01
    assert config.train.seed == 3
    assert config.data.folder == "2024"


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_an_optimizer_brings_its_own_defaults(name: str) -> None:
    chosen = resolve(None, given(f"optimizer.name={name}")).optimizer.model_dump(exclude_none=True)
    assert {**optimizers.DEFAULTS[name], "name": name, "decay": "cosine"} == chosen


def test_a_written_configuration_reads_back_the_same(tmp_path: Path) -> None:
    config = resolve(None, given("optimizer.name=momentum", "array.double_buffered=true", "data.name=mnist",
                                 'data.folder=a "quoted" folder'))  # fmt: skip
    assert resolve(file(tmp_path, config.to_toml())) == config


def test_options_of_the_model_are_its_constructors(tmp_path: Path) -> None:
    config = resolve(None, given("model.name=mlp", "model.hidden=300, 20", "model.batch_norm=true"))
    assert config.model.options() == {"hidden": [300, 20], "batch_norm": True}
    assert resolve(file(tmp_path, config.to_toml())) == config
    assert resolve(None, given("model.name=mlp")).model.options() == {}


def test_base_stands_in_for_the_file() -> None:
    base = resolve(None, given("optimizer.name=sgd", "array.rows=3"))
    changed = resolve(None, given("array.cols=2"), base=base)
    assert differences(changed, base) == [("array.cols", 2, 16)]
    assert differences(base, base) == []


def test_in_array_update_runs_with_interleaved_and_plain_sgd() -> None:
    config = resolve(None, given("emulation.weight_update=in_array", "optimizer.name=sgd"))
    assert config.emulation_settings().weight_update == "in_array"


REFUSED = {
    "array.rows=0": "got 0; give a whole number of at least 1",
    "array.rows=-3": "got -3; give a whole number of at least 1",
    "array.rows=8.5": "got '8.5'; give a whole number of at least 1",
    "array.rows=eight": "got 'eight'; give a whole number of at least 1",
    "array.rows=": "got ''; give a whole number of at least 1",
    "array.double_buffered=yes": "got 'yes'; give true or false",
    "array.row=8": "got '8'; there is no such key; choose one of rows, cols, double_buffered (did you mean 'rows'?)",
    "arrays.rows=8": "got '8'; there is no such section; choose one of array, emulation, model, data, optimizer, "
    "train, pipeline, estimator, quantization, diagnostics, machine, devices (did you mean 'array'?)",
    "rows=8": "got '8'; name a key by its section, such as array.rows=8",
    "emulation.schedule=interleave": f"got 'interleave'; choose one of {', '.join(TRAINING_SCHEDULES)} "
    "(did you mean 'interleaved'?)",
    "emulation.schedule=ws": f"got 'ws'; choose one of {', '.join(TRAINING_SCHEDULES)}",
    "emulation.fidelity=exact": "got 'exact'; choose one of register, tile, native",
    "emulation.forward=xs": "got 'xs'; choose one of ws, os, is",
    "emulation.objective=energy": "got 'energy'; choose one of cycles, accesses",
    "emulation.weight_update=array": "got 'array'; choose one of none, separate, in_array (did you mean 'in_array'?)",
    "data.name=cifar": (
        "got 'cifar'; choose one of digits, mnist, cifar10, cifar100, fashion-mnist, text (did you mean 'cifar10'?), "
        "or give FILE.npz, a folder of images by class, FILE.py:NAME, or FILE.txt"
    ),
    "model.hidden=300": "got [300]; lenet has none: leave it out or choose model.name = 'mlp'",
    "model.hidden=": "got ''; give one size or more, each a whole number of at least 1",
    "model.hidden=30,x": "got '30,x'; give one size or more, each a whole number of at least 1",
    "model.hidden=30,0": "got 0; give a whole number of at least 1",
    "model.batch_norm=true": "got True; lenet has none: leave it out or choose model.name = 'mlp'",
    "model.kernel_init=he": "got 'he'; choose one of he_normal, lecun_normal",
    "model.batch_norm=1": "got '1'; give true or false",
    "model.name=resnet": f"got 'resnet'; choose one of {', '.join(NAMES)} (did you mean 'resnet56'?), or give {OWN}",
    "data.batch_size=0": "got 0; give a whole number of at least 1",
    "data.folder=": "got ''; give the path of a folder",
    "optimizer.name=sdg": "got 'sdg'; choose one of sgd, momentum, adam, adamw, rmsprop (did you mean 'sgd'?)",
    "optimizer.learning_rate=nan": "got nan; give a number above 0",
    "optimizer.learning_rate=inf": "got inf; give a number above 0",
    "optimizer.learning_rate=0": "got 0.0; give a number above 0",
    "optimizer.learning_rate=-1": "got -1.0; give a number above 0",
    "optimizer.learning_rate=fast": "got 'fast'; give a number above 0",
    "optimizer.momentum=0.5": "got 0.5; adam has none: leave it out or choose optimizer.name among momentum",
    "optimizer.weight_decay=0.1": "got 0.1; adam has none: leave it out or choose "
    "optimizer.name among sgd, momentum, adamw",
    "optimizer.decay=quadratic": "got 'quadratic'; choose one of cosine, constant, linear, exponential, step",
    "optimizer.warmup=soon": "got 'soon'; give steps, such as 500, or '5 epochs', or a share of the run, such as 10%",
    "optimizer.end_rate=0.1": "got 0.1; give at most the learning rate (here 0.003)",
    "optimizer.end_rate=-1": "got -1.0; give a number of at least 0",
    "optimizer.decay_factor=0.1": "got 0.1; decay = 'cosine' has none: leave it out or choose decay = 'exponential' or "
    "'step'",
    "optimizer.decay_at=50%": "got '50%'; decay = 'cosine' has none: leave it out or choose decay = 'step'",
    "optimizer.weight_decay_mask=kernels": "got 'kernels'; adam has no weight decay: leave it out or choose another "
    "optimizer.name",
    "optimizer.clip_norm=0": "got 0.0; give a number above 0",
    "train.patience=0": "got 0; give a whole number of at least 1",
    "train.patience_for=speed": "got 'speed'; choose one of loss, accuracy",
    "train.patience_for=accuracy": "got 'accuracy'; set train.patience too, or leave it out",
    "train.mixed_precision=fp8": "got 'fp8'; choose one of bf16, fp16",
    "train.label_smoothing=1": "got 1.0; give a number from 0 up to, not including, 1",
    "train.epochs=0": "got 0; give a whole number of at least 1",
    "train.seed=-1": "got -1; give a whole number from 0 to 2**32 - 1",
    "train.seed=4294967296": "got 4294967296; give a whole number from 0 to 2**32 - 1",
    "train.checkpoint_every=0": "got 0; give a whole number of at least 1",
    "pipeline.name=layerpipes": f"got 'layerpipes'; choose one of {', '.join(LEARNABLE)} (did you mean 'layerpipe'?)",
    "pipeline.name=pipedream_replicated": f"got 'pipedream_replicated'; choose one of {', '.join(LEARNABLE)} "
    "(did you mean 'pipedream'?)",
    "pipeline.processors=4": "got 4; there is no pipeline: set pipeline.name too, or leave it out",
    "pipeline.processors=0": "got 0; give a whole number of at least 1",
    "pipeline.weights=stashed": "got 'stashed'; choose one of stash, current, ema, vertical_sync "
    "(did you mean 'stash'?)",
    "pipeline.beta=n": "got 'n'; choose one of n/(n+1), (n-1)/(n+1)",
    "estimator.name=rat": "got 'rat'; choose one of exact, rad (did you mean 'rad'?)",
    "estimator.keep=0": "got 0.0; give a number above 0, and at most 1",
    "estimator.keep=1.5": "got 1.5; give a number above 0, and at most 1",
    "estimator.mode=some": "got 'some'; choose one of project, same, different (did you mean 'same'?)",
    "estimator.keep=0.5": "got 0.5; exact gradients have none: set estimator.name = 'rad' too, or leave it out",
    "quantization.weights_bits=9": "got 9; give a whole number of bits from 1 to 8",
    "quantization.activations_bits=two": "got 'two'; give a whole number of bits from 1 to 8",
    "quantization.blend=1.5": "got 1.5; give a number from 0 to 1",
    "quantization.blend=0.5": "got 0.5; set quantization.weights_bits too, or leave it out",
    "quantization.weights_only=conv1": "got 'conv1'; set quantization.weights_bits too, or leave it out",
    "quantization.by_input=relu": "got 'relu'; set quantization.activations_bits too, or leave it out",
    "quantization.by_resolution=lsq": "got 'lsq'; choose one of three_valued, pact, exact",
    "quantization.layers=conv*": "got 'conv*'; set quantization.weights_bits or activations_bits too, or leave it out",
    "pipeline.time=hours": "got 'hours'; choose one of cycles, macs",
    "emulation.weight_update=in_array": "got 'in_array'; it needs plain "
    "optimizer.name = 'sgd' without weight decay (here 'adam'), or choose 'separate' or 'none'",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=list(REFUSED))
def test_a_refused_override_names_the_key_the_value_and_what_would_do(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        resolve(None, given(text))
    assert str(refusal.value) == f"--set {text.split('=')[0]}: {message}"


def test_in_array_update_is_refused_with_another_schedule_or_weight_decay() -> None:
    for more in ("emulation.schedule=sequential", "optimizer.weight_decay=0.1"):
        with pytest.raises(ValueError, match="got 'in_array'; it needs"):
            resolve(None, given("emulation.weight_update=in_array", "optimizer.name=sgd", more))


def test_in_array_update_is_refused_where_a_step_is_known_only_with_all_gradients() -> None:
    in_array = ("emulation.weight_update=in_array", "optimizer.name=sgd")
    for more, said in (
        ("optimizer.clip_norm=1", "updates a weight before all gradients are there"),
        ("train.mixed_precision=bf16", "holds halves of the weights, not those in float32 that are updated"),
    ):
        with pytest.raises(ValueError, match=said) as raised:
            resolve(None, given(*in_array, more))
        assert str(raised.value).startswith("--set emulation.weight_update: got 'in_array'; the array ")


def test_mixed_precision_is_refused_beside_few_bits_and_weights_that_xla_takes() -> None:
    for more, said in (
        (("quantization.weights_bits=2",), "layers of few bits have codes and scales of their own: leave it out"),
        (
            ("pipeline.name=layerpipe", "pipeline.weights=ema"),
            "under pipeline.weights = 'ema' the backward pass is XLA's own, in float32: leave it out",
        ),
    ):
        with pytest.raises(ValueError, match="got") as raised:
            resolve(None, given("train.mixed_precision=bf16", *more))
        assert str(raised.value) == f"--set train.mixed_precision: got 'bf16'; {said}"
    stashed = resolve(None, given("train.mixed_precision=fp16", "pipeline.name=layerpipe"))
    assert stashed.train.precision() is FORMATS["fp16"]
    assert resolve().train.precision() is None


def test_a_decay_brings_its_own_defaults_and_is_written(tmp_path: Path) -> None:
    filled = {
        "linear": {},
        "exponential": {"decay_factor": 0.95},
        "step": {"decay_factor": 0.1, "decay_at": "50%, 75%"},
    }
    for decay, keys in filled.items():
        config = resolve(None, given(f"optimizer.decay={decay}", "optimizer.warmup=2epochs"))
        chosen = config.optimizer.model_dump(exclude_none=True)
        assert {key: value for key, value in chosen.items() if key.startswith("decay_")} == keys
        assert chosen["warmup"] == "2 epochs"
        assert resolve(file(tmp_path, config.to_toml())) == config
    assert resolve(file(tmp_path, "[optimizer]\nwarmup = 300\n")).optimizer.warmup == "300"


@pytest.mark.parametrize(
    ("texts", "keys"),
    [
        ((), {}),
        (("weights_bits=1",), {"weights_bits": 1, "blend": 1e-3, "layers": "*"}),
        (
            ("activations_bits=4", "layers=conv*"),
            {"activations_bits": 4, "by_input": "clipped_relu", "by_resolution": "three_valued", "layers": "conv*"},
        ),
    ],
)
def test_few_bits_are_filled_in_and_written(tmp_path: Path, texts: tuple[str, ...], keys: dict[str, Any]) -> None:
    config = resolve(None, given(*(f"quantization.{text}" for text in texts)))
    assert config.quantization.model_dump(exclude_none=True) == keys
    assert resolve(file(tmp_path, config.to_toml())) == config


BESIDE_FEW_BITS = {
    ("quantization.layers=,",): "quantization.layers: got ','; give patterns of layers, separated by commas",
    ("emulation.weight_update=in_array", "optimizer.name=sgd"): "emulation.weight_update: got 'in_array'; quantised "
    "weights are updated as floats, which are not in the array: choose 'separate' or 'none'",
    ("pipeline.name=layerpipe", "pipeline.weights=ema"): "pipeline.weights: got 'ema'; its backward pass is XLA's own, "
    "of no few bits: choose 'stash' or 'vertical_sync'",
}


@pytest.mark.parametrize(("texts", "said"), BESIDE_FEW_BITS.items())
def test_few_bits_refuse_what_they_do_not_go_with(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        resolve(None, given("quantization.weights_bits=1", *texts))
    assert str(raised.value) == f"--set {said}"


UNDER_A_PIPELINE = {
    ("pipeline.beta=n/(n+1)",): "pipeline.beta=n/(n+1): got 'n/(n+1)'; 'stash' has none: leave it out or choose "
    "pipeline.weights = 'ema'",
    ("emulation.fidelity=tile", "pipeline.weights=ema"): "pipeline.weights=ema: got 'ema'; its backward pass is XLA's "
    "own: it needs emulation.fidelity = 'native' and precision = 'own' (here 'tile' and 'own'), or choose 'stash' or "
    "'vertical_sync'",
    ("emulation.precision=bf16", "pipeline.weights=current"): "pipeline.weights=current: got 'current'; its backward "
    "pass is XLA's own: it needs emulation.fidelity = 'native' and precision = 'own' (here 'native' and 'bf16'), or "
    "choose 'stash' or 'vertical_sync'",
    ("estimator.name=rad", "pipeline.weights=ema"): "estimator.name=rad: got 'rad'; under pipeline.weights = 'ema' the "
    "backward pass is XLA's own: leave it out, or choose 'stash' or 'vertical_sync'",
    ("optimizer.name=sgd", "emulation.weight_update=in_array"): "emulation.weight_update=in_array: got 'in_array'; "
    "under a pipeline the array holds older weights than those to update: choose 'separate' or 'none'",
}


@pytest.mark.parametrize(("texts", "message"), UNDER_A_PIPELINE.items())
def test_what_does_not_go_with_a_pipeline_is_refused(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        resolve(None, given("pipeline.name=layerpipe", *texts))
    key, _, said = message.partition(": ")
    assert str(refusal.value) == f"--set {key.split('=')[0]}: {said}"


@pytest.mark.parametrize(
    ("texts", "keys"),
    [
        ((), {}),
        (("name=pipedream",), {"name": "pipedream", "processors": 4, "weights": "stash", "time": "cycles"}),
        (
            ("name=layerpipe", "processors=2", "weights=ema", "beta=(n-1)/(n+1)", "time=macs"),
            {"name": "layerpipe", "processors": 2, "weights": "ema", "beta": "(n-1)/(n+1)", "time": "macs"},
        ),
    ],
)
def test_a_pipeline_is_filled_in_and_written(tmp_path: Path, texts: tuple[str, ...], keys: dict[str, Any]) -> None:
    config = resolve(None, given(*(f"pipeline.{text}" for text in texts)))
    assert config.pipeline.model_dump(exclude_none=True) == keys
    assert ("[pipeline]" in config.to_toml()) == bool(keys)
    assert resolve(file(tmp_path, config.to_toml())) == config


@pytest.mark.parametrize(
    ("texts", "keys", "estimator"),
    [
        ((), {}, EXACT),
        (("name=exact",), {}, EXACT),
        (("name=rad",), {"name": "rad", "keep": 0.1, "mode": "same"}, rad(0.1, "same")),
        (
            ("mode=project", "keep=1", "name=rad"),
            {"name": "rad", "keep": 1.0, "mode": "project"},
            rad(1.0, "project"),
        ),
    ],
)
def test_an_estimator_is_filled_in_and_written(
    tmp_path: Path, texts: tuple[str, ...], keys: dict[str, Any], estimator: Estimator
) -> None:
    config = resolve(None, given(*(f"estimator.{text}" for text in texts)))
    assert config.estimator.model_dump(exclude_none=True) == keys
    assert config.gradient_estimator() == estimator
    assert resolve(file(tmp_path, config.to_toml())) == config


REFUSED_FILES = {
    "[array]\nrows = 0\n": "array.rows in {path}: got 0; give a whole number of at least 1",
    "[array]\nrows = true\n": "array.rows in {path}: got True; give a whole number of at least 1",
    "[array]\nrows = 8.0\n": "array.rows in {path}: got 8.0; give a whole number of at least 1",
    "[array]\nrows = '8'\n": "array.rows in {path}: got '8'; give a whole number of at least 1",
    "[array]\nrow = 8\n": "array.row in {path}: got 8; there is no such key; choose one of rows, cols, double_buffered "
    "(did you mean 'rows'?)",
    "[array]\ndouble_buffered = 1\n": "array.double_buffered in {path}: got 1; give true or false",
    "[aray]\nrows = 8\n": "aray: got {{'rows': 8}}; there is no such key; choose one of array, emulation, model, data, "
    "optimizer, train, pipeline, estimator, quantization, diagnostics, machine, devices (did you mean 'array'?)",
    "array = 3\n": "array: got 3; give a table, [array]",
    "optimizer = 3\n": "optimizer: got 3; give a table, [optimizer]",
    "[model]\nname = 'mlp'\nhidden = [4, 0]\n": "model.hidden in {path}: got 0; give a whole number of at least 1",
    "[model]\nname = 'mlp'\nhidden = []\n": "model.hidden in {path}: got []; give one size or more, each a whole "
    "number of at least 1",
    "[model]\nhidden = [4]\n": "model.hidden in {path}: got [4]; lenet has none: leave it out or choose model.name = "
    "'mlp'",
    "[model]\nname = 3\n": f"model.name in {{path}}: got 3; choose one of {', '.join(NAMES)}, or give {OWN}",
    "[optimizer]\nname = []\n": "optimizer.name in {path}: got []; choose one of sgd, momentum, adam, adamw, rmsprop",
    "[optimizer]\nlearning_rate = '1'\n": "optimizer.learning_rate in {path}: got '1'; give a number above 0",
    "[array\nrows = 8\n": "--config: got '{path}'; mend its TOML: Expected ']' at the end of a table declaration "
    "(at line 1, column 7)",
}


@pytest.mark.parametrize(("text", "message"), REFUSED_FILES.items())
def test_a_refused_file_is_refused_by_key_value_and_place(tmp_path: Path, text: str, message: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ValueError, match=r".") as refusal:
        resolve(path)
    assert str(refusal.value) == message.format(path=path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--config: got '.*none.toml'; there is no such file"):
        resolve(tmp_path / "none.toml")
    with pytest.raises(ValueError, match=r"--config: got .*; give a file that can be read"):
        resolve(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"[data]\nfolder = '\xe9'\n")
    with pytest.raises(ValueError, match=r"--config: got .*; give a TOML file in UTF-8"):
        resolve(tmp_path / "latin.toml")


def test_an_override_of_a_section_that_is_no_table_is_refused_for_that(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"array: got 3; give a table, \[array\]"):
        resolve(file(tmp_path, "array = 3\n"), given("array.rows=8"))


def test_configurations_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().array.rows = 3


@pytest.mark.parametrize(("name", "expected"), [("own", None), ("bf16", Precision.of("bf16"))])
def test_precision_is_a_name(name: str, expected: Precision | None) -> None:
    config = resolve(overrides=[Override("emulation.precision", name, "--precision")])
    assert config.emulation_settings().precision == expected


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ("model.name=transformer-lm",),
            "data.name: got 'digits'; transformer-lm reads text: give 'text' or FILE.txt, or choose model.name = ",
        ),
        (
            ("data.name=text",),
            "--set data.name: got 'text'; lenet reads images: give some, or choose model.name = 'transformer-lm'",
        ),
        (("data.window=8",), "--set data.window: got 8; digits is no text: leave it out"),
        (
            ("data.name=a.txt", "model.name=transformer-lm", "data.standardised=true"),
            "--set data.standardised: got True; characters are not pixels: leave it out",
        ),
        (("data.label_noise=1.1",), "--set data.label_noise: got 1.1; give a number from 0 to 1"),
        (("model.activation=tanh",), "--set model.activation: got 'tanh'; lenet has none: leave it out or choose"),
        (("model.activation=gelu",), "--set model.activation: got 'gelu'; choose one of relu, tanh"),
    ],
)
def test_what_does_not_go_with_the_data_is_refused(texts: tuple[str, ...], said: str) -> None:
    pairs = [text.split("=") for text in texts]
    changes = [Override.of_text(key, value, f"--set {key}") for key, value in pairs]
    with pytest.raises(InputError, match=f"^{re.escape(said)}"):
        resolve(overrides=changes)
