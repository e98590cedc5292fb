"""Sphinx: the reference, made from the code each time the site is built, so that it is never behind."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import annotated_types
import typer
from pydantic_core import PydanticUndefined

from jaxgrad.base.words import words
from jaxgrad.cli.app import PANELS
from jaxgrad.cli.app import app as commands
from jaxgrad.cli.schemas import FILES
from jaxgrad.hardware.technology_files import PRESETS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

AREAS: dict[str, tuple[str, ...]] = {
    "Emulate and count": ("jaxgrad", "jaxgrad.flax", "jaxgrad.flax.linen", "jaxgrad.transform", "jaxgrad.autodiff"),
    "Describe a machine": ("jaxgrad.hardware", "jaxgrad.hardware.files"),
    "Costs of a step": ("jaxgrad.costs", "jaxgrad.costs.area", "jaxgrad.programs", "jaxgrad.networks.network"),
    "Gradients": ("jaxgrad.estimators", "jaxgrad.quantization"),
    "Dataflows and schedules of your own": (
        "jaxgrad.array.passes.base",
        "jaxgrad.array.passes.combinators",
        "jaxgrad.array.dataflows",
        "jaxgrad.array.mapping",
        "jaxgrad.array.schedules",
    ),
    "Several arrays": ("jaxgrad.pipelines", "jaxgrad.pipelines.plans"),
    "Design spaces": ("jaxgrad.designs.schema", "jaxgrad.designs.space", "jaxgrad.designs.goal", "jaxgrad.base.pareto"),
    "Training": ("jaxgrad.training.data", "jaxgrad.training.diagnostics"),
    "Other tools": ("jaxgrad.interop.onnx", "jaxgrad.interop.accelergy"),
    "Figures and tables": (
        "jaxgrad.base.tabular",
        "jaxgrad.reports.style",
        "jaxgrad.reports.plots",
        "jaxgrad.reports.plots.regions",
    ),
}
MODULES = tuple(module for modules in AREAS.values() for module in modules)
"""What programs of a user's own import; pages name no others."""

PAGES_OF_FILES = {name: file for name, file in FILES.items() if len(file.models) == 1}
"""Kinds of files, each with a page; that of several kinds has those of each."""


def titled(title: str, mark: str = "=") -> list[str]:
    return [title, mark * len(title), ""]


def listed(*entries: tuple[str, str]) -> list[str]:
    """A list of terms with what is said of each: unlike a table of many columns it fits a phone."""
    return [line for term, words in entries for line in (term, f"   {words or '...'}", "")]


def code(text: object) -> str:
    return f"``{text}``" if str(text).strip() else ""


def plain(text: str) -> str:
    """A text as it is: no markup of reStructuredText but code."""
    parts = re.split(r"(``.+?``)", " ".join(text.split()))
    shown = "".join(part if part.startswith("``") else re.sub(r"([\\*_|`])", r"\\\1", part) for part in parts)
    return re.sub(r"^(\w+|[-+])(?=[.)]? )", r"\1\\", shown) if re.match(r"(\w[.)]|[-+]) ", shown) else shown  # no list


def defined(value: Any) -> str:
    """Where a class or function is defined, with its name: Sphinx describes each under that name, and once."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def public(home: types.ModuleType) -> list[str]:
    """Its names: ``__all__``, or what it defines itself and tells of."""
    own = (
        name
        for name, value in vars(home).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == home.__name__
    )
    return list(getattr(home, "__all__", own))


def described_above(module: str) -> set[str]:
    """What the pages before a module's describe."""
    above = [importlib.import_module(each) for each in MODULES[: MODULES.index(module)]]
    values = [getattr(home, name) for home in above for name in public(home)]
    return {defined(value) for value in values if callable(value)}


def api(module: str) -> str:
    """Each public name of a module, from its docstring."""
    home = importlib.import_module(module)
    lines = [*titled(module), *plain((home.__doc__ or "").split("\n\n")[0]).splitlines(), ""]
    lines += [f".. currentmodule:: {module}", ""]
    for name in sorted(public(home)):
        value = getattr(home, name)
        if defined(value) in described_above(module):
            lines += [f"- ``{name}``: see :py:obj:`{defined(value)}`", ""]
            continue
        kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
        if kind == "data":  # a value's own docstring is that of its class
            lines += [f".. py:data:: {module}.{name}", ""]
        else:
            lines += [f".. auto{kind}:: {module}.{name}", *(["   :members:"] if kind == "class" else []), ""]
    return "\n".join(lines)


def all_commands() -> dict[str, Any]:
    root: Any = typer.main.get_command(commands)
    return dict(sorted(root.commands.items()))


def command(name: str) -> str:
    """A command's arguments and options, as its ``--help`` has them."""
    one = all_commands()[name]
    context = typer.Context(one, info_name=f"jaxgrad {name}")
    lines = [*titled(f"jaxgrad {name}"), code(" ".join(["jaxgrad", name, *one.collect_usage_pieces(context)])), ""]
    for paragraph in (one.help or "").split("\n\n"):
        lines += [plain(paragraph), ""]
    records = (parameter.get_help_record(context) for parameter in one.params)  # none where hidden
    rows = [(code(" ".join(names.split())), plain(told.replace("\\[", "["))) for names, told in filter(None, records)]
    return "\n".join([*lines, *listed(*rows)])


def models_in(annotation: Any) -> Iterator[type[Any]]:
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__"):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def type_of(annotation: Any) -> str:
    """A field's type in the words of TOML."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_of(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_of(each) for each in inner if each is not type(None)))
    if origin is typing.Literal:
        return " or ".join(f'"{each}"' if isinstance(each, str) else str(each) for each in inner)
    if origin in (list, tuple):
        return f"list of {type_of(inner[0])}" if inner else "list"
    if origin is dict or annotation is dict:
        return "table"
    if next(models_in(annotation), None):
        return "table"
    names = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
    return names.get(annotation, "any" if annotation is Any else getattr(annotation, "__name__", str(annotation)))


def limits(metadata: list[Any], annotation: Any) -> str:
    """The range of a number, or the values there are."""
    signs = {"Ge": ("ge", ">="), "Gt": ("gt", ">"), "Le": ("le", "<="), "Lt": ("lt", "<")}
    found = []
    for rule in metadata:
        for each in [rule, *getattr(rule, "metadata", ())]:
            if isinstance(each, annotated_types.BaseMetadata) and type(each).__name__ in signs:
                key, sign = signs[type(each).__name__]
                found.append(f"{sign} {getattr(each, key)}")
        choices = getattr(rule, "json_schema_input_type", None)
        if typing.get_origin(choices) is typing.Literal:
            found += [", ".join(f'"{each}"' for each in typing.get_args(choices))]
    if typing.get_origin(annotation) is typing.Annotated:
        found += [each for each in [limits(list(annotation.__metadata__), None)] if each]
    for inner in typing.get_args(annotation) if annotation is not None else ():
        found += [each for each in [limits([], inner)] if each]
    return "; ".join(dict.fromkeys(found))


def keys(model: type[Any], within: str = "", above: tuple[type[Any], ...] = ()) -> Iterator[tuple[str, str]]:
    """Each key, with its tables before it, and what may be said of it."""
    said = words(model)
    for name, field in model.__pydantic_fields__.items():
        key = f"{within}{field.title or name}"
        default = "required" if field.is_required() else ""
        if not default and field.default is not PydanticUndefined:
            is_short = isinstance(field.default, (str, int, float, bool, tuple, list)) and field.default not in ("", ())
            default = (
                code(str(field.default).lower() if isinstance(field.default, bool) else field.default)
                if is_short
                else ""
            )
        kind = plain(type_of(field.annotation))
        allowed = plain(limits(field.metadata, field.annotation))
        shown = default if default in ("", "required") else f"by default {default}"
        facts = ", ".join(filter(None, [kind, allowed, shown]))
        words_of_key = plain(said[field.title or name])
        yield code(key), facts + (f": {words_of_key}" if words_of_key else "")
        for inner in models_in(field.annotation):
            if inner not in above:
                mark = "[]." if kind.startswith("list") else "."
                yield from keys(inner, f"{key}{mark}", (*above, inner))


def file(kind: str) -> str:
    title, (model,) = FILES[kind].title, FILES[kind].models.values()
    lines = [*titled(title), "A key that is not here is refused. ``a[].b`` is the key b of each table ``[[a]]``.", ""]
    return "\n".join([*lines, *listed(*keys(model))])


def leaves(tree: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def technologies() -> str:
    lines = titled("Technologies")
    folder = resources.files("jaxgrad.hardware") / "technologies"
    for preset in PRESETS:
        text = (folder / f"{preset}.toml").read_text(encoding="utf-8")
        head = re.match(r"((?:#.*\n)*)", text)
        lines += [*titled(preset, "-"), plain(re.sub(r"^# ?", "", head[1] if head else "", flags=re.MULTILINE)), ""]
        for key, value in leaves(tomllib.loads(text)):
            lines += listed((code(key), plain("; ".join(map(str, value)) if isinstance(value, list) else str(value))))
    return "\n".join(lines)


def summary(folder: str, name: str) -> str:
    """The first sentence of what a page's subject says of itself."""
    told = {
        "api": lambda: sys.modules[name].__doc__,
        "commands": lambda: all_commands()[name].help,
        "files": lambda: next(iter(FILES[name].models.values())).__doc__,
    }[folder]()
    return re.split(r"(?<=[.])\s|:$|\n\n", (told or "").strip())[0]


def pages() -> dict[str, str]:
    """Name of each page to its text."""
    found = {f"api/{module}": api(module) for module in MODULES}
    found |= {f"commands/{name}": command(name) for name in all_commands()}
    commands_of = {panel: tuple(one.__name__ for one in functions) for panel, functions in PANELS.items()}
    for folder, title, groups in (
        ("api", "Python", AREAS),
        ("commands", "Commands", commands_of),
        ("files", "Files", {"": tuple(PAGES_OF_FILES)}),
    ):
        lines = titled(title)
        for group, names in groups.items():
            lines += titled(group, "-") if group else []
            lines += listed(*((f":doc:`{folder}/{name}`", plain(summary(folder, name))) for name in names))
            lines += [".. toctree::", "   :hidden:", "", *(f"   {folder}/{name}" for name in names), ""]
        found[folder] = "\n".join(lines)
    return found | {f"files/{kind}": file(kind) for kind in PAGES_OF_FILES} | {"technologies": technologies()}


def unannotated(text: str) -> str:
    """``Annotated[int, ...]`` as ``int``: what else is there are our rules, told by words."""
    head = "Annotated["
    while (start := text.find(head)) >= 0:
        depth, comma, at = 1, 0, start + len(head)
        while depth:
            depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(text[at], 0)
            comma = comma or (at if text[at] == "," and depth == 1 else 0)
            at += 1
        text = text[:start] + text[start + len(head) : comma] + text[at:]
    return text


def shorten(app: Sphinx, *_: Any) -> None:
    for hints in app.env.current_document.autodoc_annotations.values():
        hints.update({name: unannotated(hint) for name, hint in hints.items()})


def write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference" / "generated"
    made = pages()
    for page in folder.rglob("*.rst"):
        if page.relative_to(folder).with_suffix("").as_posix() not in made:
            page.unlink()  # of an earlier build
    for name, text in made.items():
        page = folder / f"{name}.rst"
        page.parent.mkdir(parents=True, exist_ok=True)
        if not page.exists() or page.read_text(encoding="utf-8") != text:  # unchanged pages are not built anew
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    app.connect("object-description-transform", shorten, priority=100)  # before autodoc writes the hints
    return {"parallel_read_safe": True, "parallel_write_safe": True}
