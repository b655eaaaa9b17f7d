"""Tables of the documentation, generated from configs and code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf
from torch import nn

from lrx.assays import catalog
from lrx.cli.config import Config
from lrx.metrics import catalog as metrics
from lrx.models.autoencoder import AutoencoderSettings

CONFIGS = Path(importlib.import_module("lrx.configs").__path__[0])
COMMANDS = ("train", "assay", "explore", "import", "prepare")
AS_THEY_ARE = ("experiment", "layout", "official")  # groups whose files say more than a table of their keys
PRIVATE = ("hydra", "defaults", "_target_", "_partial_", "_convert_")  # nodes of a yaml that are not a person's
LINE = re.compile(r"( *)([^\s#:][^:]*):(?:\s+(.*?))?(?:\s+#\s*(.*))?$")
NAMES = re.compile(r"^ *((?:[a-z]\w*, )*[a-z]\w*): ")  # of a docstring: the settings that a sentence is about
NEXT = re.compile(r"(?<=\.) (?=(?:[a-z]\w*, )*[a-z]\w*: )")  # where a line goes on with others


@dataclass(frozen=True)
class Key:
    """Key of a yaml: its dotted name, its value as written, and its comment."""

    name: str
    value: str
    comment: str


def keys(path: Path) -> Iterator[Key]:
    """Yield the keys of a yaml that a user can set, from its text."""
    above: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = LINE.match(line)
        if not found or line.lstrip().startswith(("#", "-")):
            continue
        depth, name, value, comment = len(found[1]), found[2].strip("'"), found[3] or "", found[4] or ""
        above = [entry for entry in above if entry[0] < depth]
        above.append((depth, name))
        dotted = ".".join(part for _, part in above)
        if value and not value.startswith("#") and above[0][1] not in PRIVATE:
            yield Key(dotted, value, comment)


def head(path: Path) -> str:
    """Return the comment at the top of a yaml, without the commands that an experiment lists."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# @package"):
            continue
        if not line.startswith("#") or line.startswith("#   "):
            break
        lines.append(line[1:].strip())
    return " ".join(lines).removesuffix(".")


def target(path: Path) -> Callable[..., object] | None:
    """Return the target of a yaml, None where it has none."""
    node = OmegaConf.load(path)
    name = node.get("_target_") if isinstance(node, DictConfig) else None
    if not name or not name.startswith("lrx."):
        return None
    module, _, member = name.rpartition(".")
    found: Callable[..., object] = getattr(importlib.import_module(module), member)
    return found


def described(build: Callable[..., object] | None) -> dict[str, str]:
    """Return the meanings of settings, by name, from the docstring of a function or class."""
    said: dict[str, str] = {}
    names: list[str] = []
    for line in NEXT.sub("\n", inspect.getdoc(build) or "").splitlines():
        found = NAMES.match(line)
        if found:
            names = found[1].split(", ")
            said |= dict.fromkeys(names, line[found.end() :])
        elif not line or re.match(r"[A-Z]\w+Error|Scores?[ :]|Arrays[ :]", line):
            names = []
        for name in names if not found else []:
            said[name] += " " + line.strip()
    return said


def settings(node: str) -> str:
    """Return the keys of configs/<node>.yaml: default, type, and meaning from the yaml's comment or the docstring."""
    path = CONFIGS / f"{node}.yaml"
    build = target(path)
    kinds, said = annotations(build), described(build)
    group = node.rpartition("/")[0].replace("/", ".") + "." if "/" in node else ""
    rows: list[tuple[str, ...]] = []
    for key in keys(path):
        meaning = key.comment or said.get(key.name, "")
        rows.append((code(group + key.name), code(key.value), code(kinds.get(key.name, "")), meaning))
    titles = ("key", "default", "type", "meaning")
    if not any(row[2] for row in rows):  # keys of a command have no signature
        rows, titles = [(*row[:2], row[3]) for row in rows], (*titles[:2], titles[3])
    return f'<div class="settings" markdown>\n\n{table(titles, rows)}\n</div>\n' if rows else "No settings.\n"


def annotations(build: Callable[..., object] | None) -> dict[str, str]:
    """Return the types of the settings of a function or class, as written; shared ones from a TypedDict."""
    found = {}
    for name, parameter in (inspect.signature(build).parameters if build else {}).items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found |= {key: kind.__forward_arg__ for key, kind in AutoencoderSettings.__annotations__.items()}
        else:
            found[name] = str(parameter.annotation)
    return found


def every_key() -> str:
    """Return every key of every yaml, with a section for each command and each choice of each group."""
    page = ""
    for command in COMMANDS:
        said = head(CONFIGS / f"{command}.yaml").partition(": ")[2]
        page += f"\n## lrx {command}\n\n{said[:1].upper()}{said[1:]}.\n\n{settings(command)}"
    groups = {path.parent.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")} - {"."}
    for group in sorted(groups):
        page += f"\n## {group}=\n"
        for path in sorted((CONFIGS / group).glob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            whole, node = f"```yaml\n{text}```\n", f"{group}/{path.stem}"
            page += f"\n### {group}={path.stem}\n\n"
            page += whole if group in AS_THEY_ARE else f"{escaped(head(path))}.\n\n{settings(node)}"
    return page


def objectives() -> str:
    """Return one row per objective: its name, loss from the first sentence of its file, settings, and source."""
    rows = []
    for path in sorted((CONFIGS / "model").glob("*.yaml")):
        build = target(path)
        assert build is not None
        said = first_sentence(importlib.import_module(build.__module__))
        shared = ("reconstruction", "variance", "kl")
        own = [f"{key.name}={key.value}" for key in keys(path) if key.name not in shared]
        rows.append((code(path.stem), said, " ".join(map(code, own)), head(path)))
    return table(("`model=`", "loss", "settings of its own", "source, and what others try"), rows)


def networks() -> str:
    """Return one section per network: docstring, number of parameters, and layers with output shapes."""
    page = ""
    for path in sorted((CONFIGS / "network").glob("*.yaml")):
        build = target(path)
        assert build is not None
        shape, latent_dim = example_of(build)
        with initialize_config_module("lrx.configs", version_base="1.3"):
            node = compose("train", [f"network={path.stem}"])
        network = Config(node, {}).build("network")(observation_shape=shape, latent_dim=latent_dim, heads=2)  # type: ignore[operator]
        text = (inspect.getdoc(importlib.import_module(build.__module__)) or "").split("\n\n", 1)[-1]
        count = sum(p.numel() for part in (network.encoder, network.decoder) for p in part.parameters())
        size = " × ".join(map(str, shape))
        page += f"\n## {path.stem}\n\n{head(path)}.\n\n{escaped(' '.join(text.split()))}\n\n"
        page += f"**{count:,} parameters** for observations of {size} and {latent_dim} latents with a spread each.\n\n"
        rows = layers("encoder", network.encoder, torch.zeros(1, *shape))
        rows += layers("decoder", network.decoder, torch.zeros(1, latent_dim))
        listed = table(("layer", "kind", "gives", "parameters"), rows)
        page += '??? note "Layers"\n\n' + "\n".join(f"    {line}" for line in listed.splitlines()) + "\n"
    return page


def example_of(build: Callable[..., object]) -> tuple[tuple[int, ...], int]:
    """Return the shape and number of latents for which a network's docstring gives a size, or those of the helix."""
    text = inspect.getdoc(build) or ""
    found = re.search(r"parameters at C = (\d+), D = (\d+)", text)
    side = re.search(r"images\s+are (\d+) x", text)
    return ((int(found[1]), int(side[1]), int(side[1])), int(found[2])) if found and side else ((3,), 2)


def layers(part: str, module: nn.Module, x: torch.Tensor) -> list[tuple[str, ...]]:
    """Return name, kind, output shape and parameters of every layer with parameters, in the order of a forward pass."""
    rows: list[tuple[str, ...]] = []

    def note(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def hook(layer: nn.Module, given: object, out: torch.Tensor) -> None:
            kind = re.sub(r", (bias|eps|affine|momentum|track_running_stats)=\w[\w.e-]*", "", repr(layer))
            count = sum(parameter.numel() for parameter in layer.parameters())
            rows.append((code(f"{part}.{name}"), kind, " × ".join(map(str, out.shape[1:])), f"{count:,}"))

        return hook

    handles = [
        layer.register_forward_hook(note(name))
        for name, layer in module.named_modules()
        if not list(layer.children()) and list(layer.parameters())
    ]
    module.eval()
    with torch.no_grad():
        module(x)
    for handle in handles:
        handle.remove()
    return rows


def scores(assay: str) -> str:
    """Return the scores of an assay and what each means."""
    meanings = catalog.descriptions()[assay].scores
    rows = [(code(name.replace("{}", "*")), text.replace("{}", "`*`")) for name, text in meanings.items()]
    return table(("score", "meaning"), rows) if rows else ""


def assays() -> str:
    """Return a row an assay: its page and its question, in the order of reports."""
    lines = ["| `assay=` | the question |", "|---|---|"]
    lines.append("| [paper](paper.md) | all of those below that fit the data set, in one go |")
    lines += [f"| [{name}]({name}.md) | {entry.question} |" for name, entry in catalog.descriptions().items()]
    return "\n".join(lines) + "\n"


def assay_reference() -> str:
    """Return the API sections of all assays, for mkdocstrings."""
    names = [*catalog.descriptions(), "paper"]
    return "\n".join(
        f"## {name}\n\n::: lrx.assays.{name}.assay.measure\n\n::: lrx.assays.{name}.assay.Settings\n" for name in names
    )


def metric_reference() -> str:
    """Return the API sections of all metrics, for mkdocstrings."""
    modules = [metric.measure.__module__ for metric in metrics.metrics().values()]
    return "\n".join(f"::: {module}\n    options:\n      heading_level: 2\n" for module in modules)


def first_sentence(module: ModuleType) -> str:
    """Return the first sentence of a module's docstring, without the name at its start."""
    return (module.__doc__ or "").split("\n\n")[0].replace("\n", " ").partition(": ")[2]


def code(text: str) -> str:
    """Return text as code for a cell of a table; empty text stays empty."""
    return f"`{text}`" if text else ""


def escaped(text: str) -> str:
    """Escape plain text for markdown, also in a table; code is unchanged."""
    parts = text.split("`")
    return "`".join(as_text(part) if i % 2 == 0 else part for i, part in enumerate(parts))


def as_text(part: str) -> str:
    """Escape text without code."""
    return re.sub(r"([*_|\[\]])", r"\\\1", part).replace("<", "&lt;")


def table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a markdown table of plain text and code."""
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines) + "\n"
