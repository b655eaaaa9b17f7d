"""Words of the command line before Hydra reads them: checks, order, and what lrx writes shorter than Hydra does."""

from __future__ import annotations

import functools
import glob
import re
from collections.abc import Sequence
from pathlib import Path

from lrx.cli.commands.registry import ConfigCommand
from lrx.core.paths import CHECKPOINT, expand_user
from lrx.core.text import count_of, did_you_mean, join_names
from lrx.runs import status
from lrx.runs.sweep_folder import SweepFolder, run_id

# Hydra 1.3 refuses overrides that come after a flag, so flags go first; these ones take the next word with them.
FLAGS_WITH_VALUE = {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--package", "-p"}
FLAGS_WITH_VALUE |= {"--cfg", "-c", "--experimental-rerun"}
FLAGS = FLAGS_WITH_VALUE | {"--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"}
FLAGS |= {"--shell-completion", "-sc", "--info", "-i"}
# Keys whose values are texts, and what Hydra's grammar takes for a number, for truth or for nothing.
TEXT_KEYS = {"name", "ckpt", "weights", "codes", "dataset.path", "dataset.root", "dataset.images", "dataset.classes"}
NO_TEXT = re.compile(r"[+-]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)(e[+-]?\d[\d_]*)?|[+-]?(inf|nan)|true|false", re.I)
SWEPT = r"(range|interval|choice|shuffle|sort|tag|glob)\("  # functions of Hydra's grammar that give several values


def check_words(command: ConfigCommand, words: Sequence[str]) -> None:
    """Check words that Hydra would answer with its usage: unknown flags, what has no key, and names of folders.

    ValueError says what to type instead.
    """
    before = ""
    for place, word in enumerate(words):
        if any("\ud800" <= letter <= "\udfff" for letter in word):  # bytes that python could not decode
            raise ValueError(f"{word!a} is not UTF-8, which files of lrx cannot hold; rename that file or folder")
        if word.startswith("-") and word.partition("=")[0] not in FLAGS:
            name, _, value = word.lstrip("-").partition("=")
            after = words[place + 1 : place + 2]
            value = value or next((following for following in after if not following.startswith("-")), "...")
            name = name.replace("-", "_")
            key, near = command.dotted_key(name), did_you_mean(word, [flag for flag in FLAGS if flag.startswith("--")])
            if near and key == name and name not in command.keys:
                raise ValueError(f"there is no flag {word}{near}")
            setting = f"{key}={value.rpartition('=')[2]}"
            raise ValueError(f"there is no flag {word}: settings are key=value, without dashes, as in {setting}")
        if not word.startswith(("-", "~")) and "=" not in word and before not in {*FLAGS_WITH_VALUE, "--info", "-i"}:
            quoted = f"{before} {word}" if "=" in before else f"{word}=..."
            raise ValueError(f"{word!r} has no key: settings are key=value; one with spaces needs quotes: '{quoted}'")
        if word.startswith("name="):  # before Hydra makes the folder of a sweep
            check_name(word.removeprefix("name=").strip("'\""))
        before = word


def check_name(name: str) -> None:
    """Check that a run folder of this name lies below outputs, and that no part of it is hidden. ValueError."""
    parts = name.split("/")
    if not name.strip() or "=" in name or name.startswith("/") or ".." in parts:
        raise ValueError(f"name={name!r} must name a folder below outputs, without '=' and '..'")
    if any(part.startswith(".") for part in parts):
        raise ValueError(f"name={name!r} must not begin with a dot: hidden folders are never listed")


def as_typed(word: str) -> str:
    """Return a word whose value is a text, such as a name, quoted where Hydra would take the value for a number.

    >>> as_typed("name=2026_11_29"), as_typed("name=run-1"), as_typed("seed=1_000")
    ("name='2026_11_29'", 'name=run-1', 'seed=1_000')
    """
    key, equals, value = word.partition("=")
    is_text = NO_TEXT.fullmatch(value) or (key == "name" and value.lower() == "null")
    return f"{key}{equals}'{value}'" if key.lstrip("+") in TEXT_KEYS and is_text else word


def flags_first(words: Sequence[str]) -> list[str]:
    """Return the words with flags, and the values they take, before overrides.

    >>> flags_first(["seed=1", "-m", "--cfg", "job"])
    ['-m', '--cfg', 'job', 'seed=1']
    """
    flags, overrides, rest = [], [], iter(words)
    for word in rest:
        if word.startswith("-"):
            flags.append(word)
            flags += [next(rest, "")] if word in FLAGS_WITH_VALUE else []
        else:
            overrides.append(word)
    return flags + overrides


def swept_keys(words: Sequence[str]) -> list[str]:
    """Return the keys that vary in a sweep, in the order of the words; of a single run none.

    >>> swept_keys(["-m", "model=vae,ae", "network.hidden=[8,8]", "seed=range(3)"])
    ['model', 'seed']
    """
    if not {"-m", "--multirun"} & set(words):
        return []
    pairs = [word.partition("=") for word in words if "=" in word and not word.startswith(("hydra.", "hydra/", "-"))]
    return [key for key, _, value in pairs if "," in re.sub(r"\[.*\]|\{.*\}", "", value) or re.match(SWEPT, value)]


def job_folder(
    overrides: Sequence[str], sweep: str, model: str | None = None, *, swept: Sequence[str], started: int = 0
) -> str:
    """Return the folder of a sweep's job, below that of the sweep: the one that holds its run, else its name.

    A shard of an assay has a folder in that of the whole assay, which of a sweep over shards alone is the sweep's own.
    model: the choice of the group `model`. started: time of the command, for which the sweep's runs are listed once.
    """
    shard = next((word.partition("=")[2] for word in overrides if word.startswith("shard=")), "")
    keys = [key for key in swept if key != "shard"]
    if shard and "shard" in swept and not keys:
        return shard
    runs = sweep_folder(sweep, started)
    name = runs.find(overrides)
    if name is None:
        name = run_id(overrides, " ".join({*keys, *runs.differing(overrides)}), model or "")
    return f"{name}/{shard}" if shard and "shard" in swept else name


def sweep_folder(sweep: str, started: int = 0) -> SweepFolder:
    """Return the runs of a sweep, as they were for a command that started then; 0: as they are."""
    return _sweep_folder(sweep, started) if started else SweepFolder(Path(sweep))


@functools.lru_cache(maxsize=4)
def _sweep_folder(sweep: str, _: int) -> SweepFolder:
    return SweepFolder(Path(sweep))


def expand_glob(word: str, *, is_sweep: bool) -> str:
    """Return `ckpt=glob(outputs/train/sweep/*)` as the run folders and checkpoints that it matches, with commas.

    A warning names runs that have no checkpoint. ValueError when there are none, several outside a sweep, or a name has
    characters that Hydra cannot take.
    """
    pattern = re.fullmatch(r"ckpt=glob\((.*)\)", word)
    if pattern is None:
        return word
    paths = [*map(Path, sorted(glob.glob(str(expand_user(pattern[1].strip("'\""))))))]
    matches = [path for path in paths if path.suffix == ".pt" or (path / CHECKPOINT).is_file()]
    if not matches:
        raise ValueError(f"{word} matches no run folder with a checkpoint and no .pt file")
    if len(matches) > 1 and not is_sweep:
        raise ValueError(f"{word} matches {len(matches):,} runs, which is a sweep: lrx assay -m '{word}' ...")
    unquotable = [path for path in matches if re.search(r"['\\$\ud800-\udfff]", str(path))]
    if unquotable:
        fault = "a quote, a backslash, a dollar or bytes that are not UTF-8"
        raise ValueError(f"{word} matches {str(unquotable[0])!a}, whose name has {fault}; rename it")
    left_out = [path.name for path in paths if path not in matches and (path / status.FILENAME).is_file()]
    if left_out:
        from lrx.cli.console import messages  # rich

        number = count_of(len(left_out), "run")
        messages.warn(f"{word} leaves out {number} without a checkpoint: {join_names(left_out)}")
    return "ckpt=" + ",".join(f"'{path}'" for path in matches)


def expand_shards(words: Sequence[str]) -> list[str]:
    """Return the words with `assay.shards=3` as a sweep over `shard=1of3,2of3,3of3`. ValueError for no such number.

    >>> expand_shards(["assay.shards=2", "name=large"])
    ['name=large', '-m', 'shard=1of2,2of2']
    """
    counts = [word.partition("=")[2] for word in words if word.startswith("assay.shards=")]
    rest = [word for word in words if not word.startswith("assay.shards=")]
    if not counts:
        return rest
    count = counts[-1]
    if not re.fullmatch(r"[1-9][0-9]{0,5}", count):
        raise ValueError(f"assay.shards must be a whole number of at least 1, not {count!r}")
    if count == "1":
        return rest
    multirun = [] if {"-m", "--multirun"} & set(rest) else ["-m"]
    return [*rest, *multirun, "shard=" + ",".join(f"{number}of{count}" for number in range(1, int(count) + 1))]
