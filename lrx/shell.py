"""What the shell sees before any config is composed: usage, completion, and the order of words that Hydra wants."""

from __future__ import annotations

COMMANDS = {
    "train": "fit an autoencoder, or go on with a run that was interrupted",
    "assay": "intervene on the latents of an autoencoder and measure what they cause",
    "import": "turn a published state dict into a checkpoint",
    "prepare": "verify, fetch and convert the official files of a data set",
    "collect": "put the scores of all runs in a folder into one HDF5 file and one table",
    "status": "how many runs of a folder are done, and how far or why not the others",
    "report": "one HTML page of a run or a sweep: pictures, scores and what they mean",
    "show": "what a results file holds, as tables on the terminal",
    "completion": 'print shell completion: eval "$(lrx completion bash)"',
}

# The commands that take a path instead of a config, and their help.
ON_FOLDERS = {
    "collect": """usage: lrx collect FOLDER [out=PATH.h5]

Reads every run at or below FOLDER: a sweep of trainings with the assays in them, a sweep of assays, or all of outputs.
Writes FOLDER/collected.h5, which xarray opens (the dimension is `run`, a group an assay), and collected.csv, a row a
run; or PATH.h5 and PATH.csv. Runs that are unfinished or failed, and files that cannot be read, are listed with their
reason. Runs that differ in their seed alone and have the assay `codes` are ranked by how far they agree (UDR).""",
    "status": """usage: lrx status FOLDER [--once]

Counts the runs at or below FOLDER that are queued, running, interrupted, failed and done, and lists those that run,
with their pace and the time that is left, and those that failed or were interrupted. On a terminal it is drawn again
every two seconds until nothing runs or waits, unless --once is given; Ctrl-C ends it, and never a run.""",
    "report": """usage: lrx report PATH [out=FILE.html]

Draws one HTML page that needs no other file and no network. Of a result.h5 or an assay's folder: every assay with its
pictures, its scores, what they mean, and the command to make it again. Of a training run: its curves, and all assays
in its folder or in the folder `assay` beside `train` that measured its checkpoint. Of a sweep: scores of all runs as a
table, against each other and over seeds, and matrices side by side. Writes report.html to the folder, or FILE.html.""",
    "show": """usage: lrx show PATH

Prints a result.h5, or the one in a folder: matrices as heat, scores with their errors, settings and provenance.""",
}

# Hydra 1.3 refuses overrides that come after a flag, so flags go first; these ones take the next word with them.
FLAGS_WITH_VALUE = {"--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--package", "-p"}
FLAGS_WITH_VALUE |= {"--cfg", "-c", "--experimental-rerun"}


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
            "lrx <command> --help lists every key; LRX_DEBUG=1 shows the traceback of an error;",
            "LRX_DATA says where data sets are kept (otherwise ./data).",
        ]
    )


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
  esac
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""
