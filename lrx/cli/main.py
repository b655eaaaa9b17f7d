"""The console script `lrx`: with lrx.cli.config, the one door between configs and code; nothing else knows Hydra.

`lrx <command> key=value ...` takes the command word off, lets Hydra compose configs/<command>.yaml with the overrides,
and calls the function of that name in lrx.cli.commands.registry with a Config. Torch is imported only then, so that
help,
completion and --cfg answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrx import __version__
from lrx.cli import errors
from lrx.cli.config import Config
from lrx.cli.console import usage
from lrx.cli.errors import message
from lrx.cli.slurm_launcher import FrozenSlurmLauncher
from lrx.core.text import join_names
from lrx.runs import run_folder, status

UserError = (ValueError, OSError, MemoryError, HydraException, OmegaConfBaseException, yaml.YAMLError)

# torch's words, for the computer's memory and for a card's
OUT_OF_MEMORY = re.compile(r"(not enough|can't allocate|out of) memory", re.I)


def run(command: str, node: DictConfig) -> float | None:
    """What Hydra calls: the command on its config, in the folder that Hydra made; its score, if it has one."""
    one_line_warnings()  # in the processes of a sweep too
    state = HydraConfig.get()
    path = Path(state.runtime.output_dir)
    here = Path.cwd()
    folder = path.relative_to(here) if here in path.parents else path
    overrides = tuple(state.overrides.task)
    if state.runtime.choices.get("hydra/launcher") == "joblib":
        os.environ["TTY_COMPATIBLE"] = "0"  # rich: jobs side by side write lines, no bars over each other's
    config = Config(node, dict(state.runtime.choices), overrides)
    try:
        if state.mode != RunMode.MULTIRUN or "SUBMITIT_EXECUTOR" in os.environ:  # such a job has a log of its own
            return _run(command, config, node, folder)
        with importlib.import_module("lrx.cli.console.messages").job(folder.name, command) as done:
            score = _run(command, config, node, folder)
            if score is not None:
                done.insert(0, f"loss {score:.4g}")
        return score
    except KeyboardInterrupt as error:
        way = "goes on there" if command == "train" else "starts it again"
        raise KeyboardInterrupt(f"{str(error) or 'stopped'}; the same command {way}, with name={node.name}") from error
    except UserError as error:
        if state.mode != RunMode.MULTIRUN:
            raise
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        line = message(error)
        before = status.read(folder)
        if before is None or before.state == "queued":  # refused before work began: the sweep still knows why
            status.write(folder, status.Status("failed", command, overrides, error=line))
        raise errors.refuse(state.job.num, " ".join(overrides), line) from error


def _run(command: str, config: Config, node: DictConfig, folder: Path) -> float | None:
    commands = importlib.import_module("lrx.cli.commands.registry").COMMANDS
    try:
        missing = sorted(OmegaConf.missing_keys(node))
        if missing:
            raise ValueError(f"lrx {command} needs {', '.join(f'{key}=...' for key in missing)}")
        check_name(str(node.get("name", command)))
        strange = sorted({str(key) for key in node} - known_keys(command))
        if strange:
            raise ValueError(f"lrx {command} has no key {join_names(strange)}; lrx {command} --help lists the keys")
        # composed now: a mistake in it costs no training
        after = _then(node.then, folder) if node.get("then") else None
        score: float | None = commands[command](config, folder)
        if after is not None and importlib.import_module("lrx.training.distributed").ranks_of(os.environ).is_main:
            commands["assay"](*after)
        return score
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        raise MemoryError(f"out of memory, smaller batches may help: {str(error).splitlines()[0]}") from error
    finally:
        if folder.is_dir() and not any(folder.iterdir()):  # a refused command leaves no empty folder behind
            folder.rmdir()


def known_keys(command: str) -> set[str]:
    """The keys at the top of a command's config: those of its yaml, and its groups."""
    file = Path(importlib.import_module("lrx.configs").__path__[0]) / f"{command}.yaml"
    node = yaml.safe_load(file.read_text(encoding="utf-8"))
    groups = [str(key).split()[-1] for entry in node["defaults"] if isinstance(entry, dict) for key in entry]
    return {str(key) for key in node} | set(groups)


def check_name(name: str) -> None:
    """ValueError for a name= of a folder that would lie elsewhere than below outputs."""
    if not name.strip() or "=" in name or name.startswith("/") or ".." in Path(name).parts:
        raise ValueError(f"name={name!r} must name a folder below outputs, without '=' and '..'")


def _then(then: object, trained: Path) -> tuple[Config, Path]:
    """The assay that `then` asks for, of the run in this folder, and a folder of its name in the run's own."""
    words = [str(word) for word in then] if isinstance(then, ListConfig) else [str(then)]
    settings = [f"assay={words[0]}", *words[1:], f"ckpt='{trained}'", f"name='{words[0]}'"]
    node = hydra.compose("assay", settings, return_hydra_config=True)
    choices = dict(node.hydra.runtime.choices)
    with open_dict(node):
        del node["hydra"]
    return Config(node, choices, tuple(settings)), trained / words[0]


OmegaConf.register_new_resolver("run_id", run_folder.run_id, replace=True)


def train_task(node: DictConfig) -> float | None:
    """Hydra's task of `lrx train`."""
    return run("train", node)


def assay_task(node: DictConfig) -> float | None:
    """Hydra's task of `lrx assay`."""
    return run("assay", node)


def import_task(node: DictConfig) -> float | None:
    """Hydra's task of `lrx import`."""
    return run("import", node)


def prepare_task(node: DictConfig) -> float | None:
    """Hydra's task of `lrx prepare`."""
    return run("prepare", node)


TASKS: dict[str, Callable[[DictConfig], float | None]] = {
    "train": train_task,
    "assay": assay_task,
    "import": import_task,
    "prepare": prepare_task,
}


def one_line_warnings() -> None:
    """Have this process show a warning as one line, without a line of the code that gives it."""
    warnings.formatwarning = lambda text, *where: f"{usage.fitted(f'lrx: warning: {text}', sys.stderr)}\n"


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 with one line when a person can mend it, 1 when lrx is at fault."""
    one_line_warnings()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        print(f"lrx {__version__}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage.fitted(usage.usage(), sys.stdout))
        return 0 if words else 2
    command, rest = words[0], words[1:]
    if command == "completion":
        if {"-h", "--help"} & set(rest):
            print(usage.COMPLETION_HELP)
            return 0
        if rest != ["bash"]:
            return fail(
                ValueError(f"lrx completion knows bash, not {' '.join(rest) or 'nothing'}: lrx completion bash")
            )
        print(usage.completion())
        return 0
    if command not in (*TASKS, *usage.ON_FOLDERS):
        return fail(ValueError(f"no command {command!r}; the commands are {', '.join(usage.COMMANDS)}"))
    if sys.version_info >= (3, 14) and hasattr(argparse.ArgumentParser, "_check_help"):
        # Hydra 1.3 gives argparse a lazy help text, which Python 3.14 checks too early
        argparse.ArgumentParser._check_help = lambda self, action: None  # type: ignore[attr-defined]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us, not to Hydra's printer
    errors.refused.clear()
    try:
        if command in usage.ON_FOLDERS:
            importlib.import_module("lrx.cli.commands.folders").run(command, rest)
            return 0
        usage.check_words(command, rest)
        for word in rest:
            if word.startswith("name="):  # before Hydra makes the folder of a sweep
                check_name(word.removeprefix("name=").strip("'\""))
        # Hydra looks for launchers by a name in its own namespace, which need not be where the class lies
        Plugins.instance().class_name_to_class["hydra_plugins.lrx.FrozenSlurmLauncher"] = FrozenSlurmLauncher
        typed = run_folder.name_sweep_folders(run_folder.expand_shards([run_folder.expand_glob(word) for word in rest]))
        sys.argv = ["lrx", *usage.flags_first(typed)]
        task = hydra.main(version_base="1.3", config_path="pkg://lrx.configs", config_name=command)(TASKS[command])
        if {"-h", "--help"} & set(rest):
            with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
                task()
            print(usage.fitted(text.getvalue().rstrip("\n"), sys.stdout))
        else:
            task()
    except KeyboardInterrupt as error:
        errors.say(error if str(error) else KeyboardInterrupt("stopped; the same command starts it again"))
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        if os.environ.get("LRX_DEBUG"):
            traceback.print_exc()
        errors.report()
        return fail(error)
    left = errors.report()
    return fail(ValueError(left)) if left else 0


def fail(error: BaseException) -> int:
    """Print one line that says what is wrong."""
    errors.say(error)
    return 2


if __name__ == "__main__":
    # by its name, so that the processes of a sweep find the tasks
    sys.exit(importlib.import_module("lrx.cli.main").main())
