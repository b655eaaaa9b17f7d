"""Print the code that makes bash complete commands, keys and choices with Tab.
  for this shell:     eval "$(lrx completion bash)"
  for all to come:    lrx completion bash >> ~/.bashrc
lrx must be on PATH; in a checkout, after `. .venv/bin/activate`.
"""

from __future__ import annotations

from lrx.cli.commands import registry


def completion_command() -> None:
    """Print the script: it completes the command word itself, and leaves keys to Hydra's own completer."""
    cases = "\n".join(f"    {name}) {_case(command)}" for name, command in registry.PLAIN_COMMANDS.items())
    print(BASH % (" ".join(registry.COMMANDS), cases))


def _case(command: registry.PlainCommand) -> str:
    """Return what completes the arguments of a command, a branch of bash's `case`."""
    kind = command.arguments.split()[0]
    compgen = {"FOLDER": "-d", "PATH": "-f"}.get(kind, f"-W {kind}")
    options = [f"{name}{value}" for name, values in command.options.items() for value in (values or [""])]
    words = [compgen, *([f"-W '{' '.join(options)}'"] if options else [])]
    replies = [f'$(compgen {word} -- "$cur")' for word in words]
    return f"COMPREPLY=( {' '.join(replies)} ); return ;;"


BASH = r"""_lrx() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if (( COMP_CWORD == 1 )); then COMPREPLY=( $(compgen -W "%s" -- "$cur") ); return; fi
  local sub=${COMP_WORDS[1]}
  case $sub in
%s
  esac
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null |
    tr ' ' '\n' | grep -vE '(^|[.])_(target|partial|convert|recursive|args)_=' ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""
