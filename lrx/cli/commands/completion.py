"""Print the code that makes a shell complete commands, keys and choices with Tab.
  bash:  eval "$(lrx completion bash)"      for all to come in ~/.bashrc
  zsh:   eval "$(lrx completion zsh)"       for all to come in ~/.zshrc
  fish:  lrx completion fish | source       for all to come in
         ~/.config/fish/config.fish
lrx must be on PATH; in a checkout, after `. .venv/bin/activate`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from lrx.cli.commands import registry


def completion_command(shell: str) -> None:
    """Print the script: it completes the command word itself, and leaves keys to Hydra's own completer."""
    chosen = SHELLS[shell]
    commands = " ".join(chosen.command(name, registry.COMMANDS[name].summary) for name in registry.COMMANDS)
    cases = "\n".join(_case(name, command, chosen) for name, command in registry.PLAIN_COMMANDS.items())
    print(chosen.script % {"commands": commands, "cases": cases})


class Shell(NamedTuple):
    """Parts of the script of a shell.

    script: with places for the commands and for the cases of those without a config. command: a word of a command and
    its summary. case: a branch for a command with its actions. folders, files, words: actions that complete these.
    """

    script: str
    command: Callable[[str, str], str]
    case: str
    folders: str
    files: str
    words: str


def _case(name: str, command: registry.PlainCommand, shell: Shell) -> str:
    """Return the branch that completes the arguments of a command."""
    kind = command.arguments.split()[0]
    action = {"FOLDER": shell.folders, "PATH": shell.files}.get(kind, shell.words % kind.replace("|", " "))
    options = [f"{option}{value}" for option, values in command.options.items() for value in (values or [""])]
    actions = [action, *([shell.words % " ".join(options)] if options else [])]
    return shell.case % (name, " ".join(actions) if shell is SHELLS["bash"] else "; ".join(actions))


BASH = r"""_lrx() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  if (( COMP_CWORD == 1 )); then COMPREPLY=( $(compgen -W "%(commands)s" -- "$cur") ); return; fi
  local sub=${COMP_WORDS[1]}
  case $sub in
%(cases)s
  esac
  local line="lrx ${COMP_LINE#*"$sub" }"
  local cut=$(( ${#COMP_LINE} - ${#line} ))
  COMPREPLY=( $( COMP_POINT=$(( COMP_POINT - cut )) COMP_LINE="$line" lrx "$sub" -sc query=bash 2>/dev/null |
    tr ' ' '\n' | grep -vE '(^|[.])_(target|partial|convert|recursive|args)_=' ) )
  [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. || ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; COMP_WORDBREAKS=$COMP_WORDBREAKS:
complete -o default -F _lrx lrx"""
# a key, a group with a dot or a slash, and a folder get no space after them
ZSH = r"""(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
_lrx() {
  local -a found
  if (( CURRENT == 2 )); then found=( %(commands)s ); _describe command found; return; fi
  case $words[2] in
%(cases)s
  esac
  found=( ${(f)"$(COMP_LINE="lrx ${(j: :)words[3,CURRENT]}" lrx $words[2] -sc query=fish 2>/dev/null)"} )
  found=( ${found:#(*.|)_(target|partial|convert|recursive|args)_=*} )
  if (( ! $#found )); then compset -P '*='; _files; return; fi
  compadd -S '' -- ${(M)found:#*[=./]}
  compadd -- ${found:#*[=./]}
}
compdef _lrx lrx"""
FISH = r"""function __lrx_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  if test (count $words) -eq 1
    printf '%%s\n' %(commands)s
    return
  end
  switch $words[2]
%(cases)s
  end
  set -l command $words[2]
  set -e words[1..2]
  set -l found (COMP_LINE="lrx $(string join ' ' -- $words $current)" lrx $command -sc query=fish 2>/dev/null |
    string match -rv '(^|[.])_(target|partial|convert|recursive|args)_=')
  if test -n "$found"
    printf '%%s\n' $found
  else if set -l key (string match -r '^[^=]*=' -- $current)
    printf '%%s\n' $key(__fish_complete_path (string replace -- $key '' $current))
  end
end
complete -c lrx -f -a '(__lrx_complete)'"""
SHELLS = {
    "bash": Shell(
        script=BASH,
        command=lambda name, summary: name,
        case="    %s) COMPREPLY=( %s ); return ;;",
        folders='$(compgen -d -- "$cur")',
        files='$(compgen -f -- "$cur")',
        words='$(compgen -W "%s" -- "$cur")',
    ),
    "zsh": Shell(
        script=ZSH,
        command=lambda name, summary: shlex.quote(f"{name}:" + summary.replace(":", r"\:")),
        case="    %s) %s; return ;;",
        folders="_path_files -/",
        files="_files",
        words="compadd -S '' -- %s",
    ),
    "fish": Shell(
        script=FISH,
        command=lambda name, summary: f"{name}\\t{shlex.quote(summary)}",
        case="    case %s\n      %s\n      return",
        folders="__fish_complete_directories $current ''",
        files="__fish_complete_path $current",
        words="printf '%%s\\n' %s",
    ),
}
