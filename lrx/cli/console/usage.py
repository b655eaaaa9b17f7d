"""What the shell sees before any config is composed: usage, completion, lines that fit, and the words Hydra wants."""

from __future__ import annotations

import importlib
import os
import textwrap
from pathlib import Path
from typing import TextIO

import yaml

COMMANDS = {
    "train": "fit an autoencoder, or go on with an interrupted run",
    "assay": "set latents of an autoencoder, measure what that causes",
    "import": "turn a published state dict into a checkpoint",
    "prepare": "verify, fetch and convert the official files of a data set",
    "collect": "the scores of all runs of a folder as HDF5 and as a table",
    "status": "how far the runs of a folder are, and why some failed",
    "report": "one HTML page of a run or a sweep: pictures, scores, meaning",
    "show": "what a results file holds, as tables on the terminal",
    "completion": 'print shell completion: eval "$(lrx completion bash)"',
}

# The commands that take a path instead of a config, and their help.
ON_FOLDERS = {
    "collect": """usage: lrx collect FOLDER [out=PATH.h5]

Reads every run at or below FOLDER: a sweep of trainings with the assays in
them, a sweep of assays, or all of outputs. Writes FOLDER/collected.h5, which
xarray opens (the dimension is `run`, a group an assay), and collected.csv, a
row a run; or PATH.h5 and PATH.csv. Runs that are unfinished or failed, and
files that cannot be read, are listed with their reason. Runs that differ in
their seed alone and have the assay `codes` are ranked by how far they agree
(UDR).""",
    "status": """usage: lrx status FOLDER [--once]

Counts the runs at or below FOLDER that are queued, running, interrupted, failed
and done, and lists those that run, with their pace and the time that is left,
and those that failed or were interrupted. On a terminal it is drawn again every
two seconds until nothing runs or waits, unless --once is given; Ctrl-C ends it,
and never a run.""",
    "report": """usage: lrx report PATH [out=FILE.html]

Draws one HTML page that needs no other file and no network.
  result.h5, or an assay's folder: every assay with its pictures, its scores,
    what they mean, and the command to make it again
  a training run: its curves, and all assays in its folder, or in the folder
    `assay` beside `train`, that measured its checkpoint
  a sweep: scores of all runs as a table, against each other and over seeds,
    and matrices side by side
Writes report.html to the folder, or FILE.html.""",
    "show": """usage: lrx show PATH

Prints a result.h5, or the one in a folder: matrices as heat, scores with their
errors, settings and provenance. Of a run folder without a result.h5 it lists
the results in it, and the command for its report.""",
}

COMPLETION_HELP = """usage: lrx completion bash

Prints the code that makes bash complete commands, keys and choices with Tab.
  for this shell:     eval "$(lrx completion bash)"
  for all to come:    lrx completion bash >> ~/.bashrc
lrx must be on PATH; in a checkout, after `. .venv/bin/activate`."""

# Hydra 1.3 refuses overrides that come after a flag, so flags go first; these ones take the next word with them.
FLAGS_WITH_VALUE = {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--package", "-p"}
FLAGS_WITH_VALUE |= {"--cfg", "-c", "--experimental-rerun"}
FLAGS = FLAGS_WITH_VALUE | {"--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"}
FLAGS |= {"--shell-completion", "-sc", "--info", "-i"}


def usage() -> str:
    """The text of `lrx --help`."""
    lines = [f"  {name:<12}{what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            "usage: lrx <command> [key=value ...]",
            "",
            "A laboratory for the latent spaces of autoencoders.",
            "",
            *lines,
            "",
            "  lrx train dataset=dsprites model=betavae name=my-run",
            "  lrx assay ckpt=outputs/train/my-run assay=response_matrix",
            "  lrx prepare dataset=dsprites download=true",
            "  lrx status outputs/train/my-sweep",
            "  lrx collect outputs/train/my-sweep",
            "  lrx report outputs/train/my-sweep",
            "",
            "lrx <command> --help lists every key. LRX_DATA says where data sets are kept",
            "(otherwise ./data); LRX_DEBUG=1 shows the traceback of an error.",
        ]
    )


def fitted(text: str, stream: TextIO) -> str:
    """A text whose lines are broken between words where its reader has a narrow screen.

    Elsewhere, as in a pipe, a line stays a line, so that grep finds it whole. A broken command can be pasted.
    """
    width = width_of(stream)
    return text if width is None else "\n".join(_broken(line, width) for line in text.split("\n"))


def width_of(stream: TextIO) -> int | None:
    """Characters of a line for who reads a stream: COLUMNS, or a terminal's; None where neither says it."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    if stream.isatty():
        return os.get_terminal_size(stream.fileno()).columns or 80  # some terminals say 0
    return None


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    inner = line.lstrip(" ")
    hanging = " " * (len(line) - len(inner) + 2)
    command = inner.startswith("lrx ")
    parts = textwrap.wrap(
        line, width - 2 * command, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )
    return (" \\\n" if command else "\n").join(parts)


def flags_first(words: list[str]) -> list[str]:
    """Flags, with the values they take, before overrides.

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


def check_words(command: str, words: list[str]) -> None:
    """ValueError for words that Hydra would answer with its usage: unknown flags, and what has no key."""
    before = ""
    for place, word in enumerate(words):
        after = words[place + 1 : place + 2]
        if word.startswith("-") and word.partition("=")[0] not in FLAGS:
            name, _, value = word.lstrip("-").partition("=")
            value = value or next((following for following in after if not following.startswith("-")), "...")
            raise ValueError(
                f"there is no flag {word}: settings are key=value, without dashes, as in "
                f"{key_of(command, name.replace('-', '_'))}={value.rpartition('=')[2]}"
            )
        if not word.startswith(("-", "~")) and "=" not in word and before not in {*FLAGS_WITH_VALUE, "--info", "-i"}:
            whole = f"{before} {word}" if "=" in before else f"{word}=..."
            raise ValueError(f"{word!r} has no key: settings are key=value; one with spaces needs quotes: '{whole}'")
        before = word


def key_of(command: str, name: str) -> str:
    """The dotted key of a command that ends in this name, by its yaml and those of the groups it takes; else name."""
    top = Path(importlib.import_module("lrx.configs").__path__[0])
    node = yaml.safe_load((top / f"{command}.yaml").read_text(encoding="utf-8"))
    if name not in node:
        for group, choice in (pair for entry in node["defaults"] if isinstance(entry, dict) for pair in entry.items()):
            file = top / str(group) / f"{choice}.yaml"
            if file.is_file() and name in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}):
                return f"{group}.{name}"
    return name


def completion() -> str:
    """A bash script that completes the command word itself and leaves what follows to Hydra's own completer."""
    return BASH_COMPLETION % " ".join(COMMANDS)


BASH_COMPLETION = r"""_lrx() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if (( COMP_CWORD == 1 )); then COMPREPLY=( $(compgen -W "%s" -- "$cur") ); return; fi
  local sub=${COMP_WORDS[1]}
  case $sub in
    collect) COMPREPLY=( $(compgen -d -- "$cur") $(compgen -W out= -- "$cur") ); return ;;
    status) COMPREPLY=( $(compgen -d -- "$cur") $(compgen -W --once -- "$cur") ); return ;;
    report) COMPREPLY=( $(compgen -f -- "$cur") $(compgen -W out= -- "$cur") ); return ;;
    show) COMPREPLY=( $(compgen -f -- "$cur") ); return ;;
    completion) COMPREPLY=( $(compgen -W bash -- "$cur") ); return ;;
  esac
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null |
    tr ' ' '\n' | grep -vE '(^|[.])_(target|partial|convert|recursive|args)_=' ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""
