"""Importing lrx leaves the process as it was: filters of warnings, torch's defaults, signals, the environment."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import ast, importlib, locale, os, pkgutil, random, signal, sys, threading, warnings
from pathlib import Path
import lrx

modules = pkgutil.walk_packages(lrx.__path__, "lrx.")
names = sorted(module.name for module in modules if not module.name.endswith("__main__"))
others = set()
for path in Path(lrx.__path__[0]).rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        others |= {name for name in found if name.split(".")[0] != "lrx"}
for name in sorted(others):  # what other libraries do is not compared
    try:
        importlib.import_module(name)
    except ImportError:  # an optional one
        pass
import numpy as np, torch

def state():
    return {
        "warnings.filters": list(warnings.filters),
        "warnings.formatwarning": warnings.formatwarning,
        "warnings.showwarning": warnings.showwarning,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "excepthook": (sys.excepthook, threading.excepthook),
        "streams": (sys.stdout, sys.stderr),
        "recursion": sys.getrecursionlimit(),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "threads": threading.active_count(),
        "random": random.getstate(),
        "numpy random": str(np.random.get_state()),
        "numpy errors": np.geterr(),
        "torch random": torch.get_rng_state().tolist(),
        "torch dtype": torch.get_default_dtype(),
        "torch device": str(torch.get_default_device()),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch gradients": torch.is_grad_enabled(),
        "torch deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch precision": torch.get_float32_matmul_precision(),
        "torch tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark, torch.backends.cudnn.enabled),
        "print options": str(np.get_printoptions()),
    }

for name in names:
    before = state()
    importlib.import_module(name)
    after = state()
    changed = [key for key in before if before[key] != after[key]]
    if changed:
        print(f"importing {name} changes {', '.join(changed)}")
print(f"{len(names)} modules")
"""


def test_import_changes_no_global_state() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    *changes, last = done.stdout.splitlines()
    assert not changes
    assert int(last.split()[0]) > 150
