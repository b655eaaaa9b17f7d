"""Console script `lrx`: with the rest of lrx.cli, the only part of lrx that knows Hydra.

`lrx <command> key=value ...` takes the command word off, lets Hydra compose configs/<command>.yaml with the overrides,
and calls the command's function with a Config. Torch is imported only then, so that help, completion and --cfg answer
at once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import traceback

import hydra

from lrx import __version__
from lrx.cli import errors
from lrx.cli.commands.registry import COMMANDS, ConfigCommand
from lrx.cli.console.streams import stdout_fault, tolerant_streams
from lrx.cli.console.wrap import wrap_text
from lrx.cli.hooks import hydra_hooks, one_line_warnings
from lrx.cli.overrides import as_typed, check_words, expand_glob, expand_shards, flags_first, swept_keys
from lrx.cli.task import Task, UserError
from lrx.cli.variants import VARIANT, expand_variants
from lrx.core.text import did_you_mean

HELP = """usage: lrx <command> [key=value ...]

A laboratory for the latent spaces of autoencoders.

{commands}

  lrx train dataset=dsprites model=betavae name=my-run
  lrx assay ckpt=outputs/train/my-run assay=response_matrix
  lrx prepare dataset=dsprites download=true
  lrx status outputs/train/my-sweep
  lrx collect outputs/train/my-sweep
  lrx report outputs/train/my-sweep

lrx <command> --help lists every key. LRX_DATA says where data sets are kept
(otherwise ./data); LRX_DEBUG=1 shows the traceback of an error."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 with one line when a person can mend it, 1 when lrx is at fault."""
    words = list(sys.argv[1:] if argv is None else argv)
    with tolerant_streams():
        code = _run(words)
        fault = stdout_fault()
        if fault is None or code:
            return code
        text = f"standard output cannot be written: {os.strerror(fault.errno or 0).lower()}"
        command = COMMANDS.get(words[0]) if words else None
        if command is None or command.only_prints(words[1:]):
            errors.print_error(ValueError(text))
            return 2
        importlib.import_module("lrx.cli.console.messages").warn(f"{text}; the files of this command are written")
        return 0


def _run(words: list[str]) -> int:
    """Run one command, or print the version or the help; return the exit status."""
    if words[:1] == ["--version"]:
        print(f"lrx {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        lines = "\n".join(f"  {name:<12}{command.summary}" for name, command in COMMANDS.items())
        print(wrap_text(HELP.format(commands=lines), sys.stdout))
        return 0 if words else 2
    command, rest = COMMANDS.get(words[0]), words[1:]
    errors.failed_jobs.clear()
    try:
        with one_line_warnings():
            if command is None:
                near = did_you_mean(words[0], COMMANDS)
                raise ValueError(f"no command {words[0]!r}; the commands are {', '.join(COMMANDS)}{near}")
            if isinstance(command, ConfigCommand):
                run_with_config(command, rest)
            else:
                command.run(rest)
    except KeyboardInterrupt as error:
        errors.print_error(error if str(error) else KeyboardInterrupt("stopped; the same command starts it again"))
        return 130
    except UserError as error:
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        errors.summarize_failures()
        errors.print_error(error)
        return 2
    failures = errors.summarize_failures()
    if failures:
        errors.print_error(ValueError(failures))
    return 2 if failures else 0


def run_with_config(command: ConfigCommand, words: list[str]) -> None:
    """Let Hydra compose a command's config and run it, once or as a sweep; or print its help."""
    check_words(command, words)
    is_sweep = bool({"-m", "--multirun"} & set(words))
    words = expand_shards([expand_glob(as_typed(word), is_sweep=is_sweep) for word in words])
    words, variants = expand_variants(words) if VARIANT in command.keys else (words, {})
    with hydra_hooks(flags_first(words), swept_keys(words), variants):
        task = hydra.main(version_base="1.3", config_path="pkg://lrx.configs", config_name=command.name)(
            Task(command.name)
        )
        if {"-h", "--help"} & set(words):
            with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
                task()
            print(wrap_text(text.getvalue().rstrip("\n"), sys.stdout))
        else:
            task()


if __name__ == "__main__":
    # by its name, so that the processes of a sweep find the task
    sys.exit(importlib.import_module("lrx.cli.main").main())
