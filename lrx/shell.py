"""What the shell sees before any config is composed: usage, completion, and the order of words that Hydra wants."""

from __future__ import annotations

COMMANDS = {
    "train": "fit an autoencoder, or go on with a run that was interrupted",
    "assay": "intervene on the latents of an autoencoder and measure what they cause",
    "import": "turn a published state dict into a checkpoint",
    "prepare": "verify, fetch and convert the official files of a data set",
    "completion": 'print shell completion: eval "$(lrx completion bash)"',
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
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""
