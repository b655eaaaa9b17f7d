"""Check lrx on one GPU in at most ten minutes, and write what was measured as JSON and as a section of Markdown.

scripts/gpu_check.sh [--cpu] [--quick] [--seconds 580] [--only agreement,waits] [--folder F] [--page docs/benchmarks.md]

Each part of scripts/gpu_parts.py runs in a process of its own, has a time of its own, and stores each row at once: a
part that fails, or runs out of time, loses neither its rows nor the other parts. The exit status is 1 unless every part
ended and found nothing wrong. The last part, training, has all the time that is left.
--cpu runs everything on the CPU. --quick: a check of the script itself in seconds, whose figures mean nothing.
--page puts the section into a page, in place of an earlier one; scripts/bench.py keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent
SECONDS = {  # at most, by part, in their order
    "machine": 40,
    "tests": 100,
    "waits": 50,
    "agreement": 90,
    "assays": 50,
    "responses": 45,
    "throughput": 140,
    "training": 600,
}
STOP = 10  # seconds between what a part is told to end in and when it is killed
TITLE = "## On one GPU"
TEXT = {
    "machine": "Highest rates of products of matrices (8192 x 8192) and of a 3 x 3 convolution of 64 channels.",
    "tests": "The tests of `tests/test_cuda.py`, each on the CPU and on the card.",
    "waits": "Training steps between two logs: how often the CPU waits for the card, by torch's own count.",
    "agreement": "The same weights and batches on the CPU and on the card. Responses: the largest difference over the "
    "standard deviation; in bf16, the error of rounding over that on the CPU. Training: the largest relative "
    "difference of a loss.",
    "assays": "Every assay of a small model in float64, on the CPU and on the card: the largest relative difference "
    "of a score.",
    "responses": "Responses h(z) of untrained VAEs of twelve latents, 64 x 64 pixels; and a whole `response_matrix`.",
    "throughput": "Steps of a VAE with twelve latents, bf16, on 4,096 images in memory, data and optimiser included.",
    "training": "As `experiment=paper_3dshapes` (conv12, twelve latents, batches of 128), on rendered 3D Shapes.",
}


def run_part(name: str, words: Sequence[str], folder: Path, seconds: float) -> dict[str, Any]:
    """Run a part in a process of its own; return its rows, its seconds, and what went wrong."""
    stored, began = folder / f"{name}.json", time.monotonic()
    stored.unlink(missing_ok=True)
    command = [sys.executable, str(SCRIPTS / "gpu_parts.py"), name, "--seconds", f"{seconds:.0f}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS.parent), str(SCRIPTS)])}
    wrong = []
    try:
        done = subprocess.run(
            [*command, "--store", str(stored), *words], env=environment, timeout=seconds + STOP, check=False
        )
        if done.returncode:
            wrong.append(f"exit status {done.returncode}")
    except subprocess.TimeoutExpired:
        wrong.append(f"did not end in {seconds + STOP:.0f} s")
    found = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {"rows": [], "wrong": []}
    return {"rows": found["rows"], "wrong": [*found["wrong"], *wrong], "seconds": round(time.monotonic() - began, 1)}


def run_parts(names: Sequence[str], words: Sequence[str], folder: Path, seconds: float) -> dict[str, dict[str, Any]]:
    """Run parts in order within so many seconds in all, and store all of them after each."""
    ends, parts = time.monotonic() + seconds, {}
    for name in names:
        left = ends - time.monotonic() - STOP
        if left < 1:
            parts[name] = {"rows": [], "wrong": ["no time was left"], "seconds": 0.0}
        else:
            print(f"== {name}", flush=True)
            parts[name] = run_part(name, words, folder, min(SECONDS[name], left))
        for text in parts[name]["wrong"]:
            print(f"   {name}: {text}", flush=True)
        write(folder / "gpu.json", json.dumps(parts, indent=1))
    return parts


def section(parts: Mapping[str, Mapping[str, Any]], words: str) -> str:
    """Return the section: command, what went wrong, and a table for each part."""
    wrong = [f"- {name}: {text}" for name, part in parts.items() for text in part["wrong"]]
    blocks = [TITLE, f"Written by\n\n```\nscripts/gpu_check.sh{words}\n```"]
    blocks.append("\n".join(["What went wrong:\n", *wrong]) if wrong else "Every part ended, and nothing went wrong.")
    for name, part in parts.items():
        blocks += [f"### GPU: {name}", f"{TEXT[name]} {part['seconds']:.0f} s."]
        if part["rows"]:
            blocks.append(table(part["rows"]))
    return "\n\n".join(blocks) + "\n"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a table of Markdown, with a column for each key that any row has."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    lines = [keys, ["---"] * len(keys), *([cell(row.get(key, "")) for key in keys] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    """Write a number to three digits."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "/").replace("\n", " ")


def kept(page: str) -> str:
    """Return the section of a page, or an empty text; it ends before the next heading of its level."""
    start = page.find(f"{TITLE}\n")
    end = page.find("\n## ", start + 1) + 1
    return "" if start < 0 else page[start : end or None]


def with_section(page: str, written: str) -> str:
    """Return a page with this section at its end, in place of an earlier one."""
    return f"{page.replace(kept(page), '').rstrip()}\n\n{written}" if written else page


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="run on the CPU")
    parser.add_argument("--quick", action="store_true", help="a check in seconds, without meaningful figures")
    parser.add_argument("--seconds", type=float, default=580, help="time for all parts together (default: 580)")
    parser.add_argument("--only", default=",".join(SECONDS), help="parts, such as agreement,waits (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/gpu_check"), help="where gpu.json and gpu.md go")
    parser.add_argument("--page", type=Path, help="page whose section is written too")
    told = parser.parse_args(given)
    names = told.only.split(",")
    if unknown := [name for name in names if name not in SECONDS]:
        parser.error(f"--only: no part {', '.join(unknown)}; there are {', '.join(SECONDS)}")
    if not told.cpu:
        import torch  # takes seconds

        if not torch.cuda.is_available():
            parser.error(f"torch {torch.__version__} sees no GPU here; --cpu tries the same on the CPU")
    told.folder.mkdir(parents=True, exist_ok=True)
    words = [word for word, on in (("--cpu", told.cpu), ("--quick", told.quick)) if on]
    parts = run_parts(names, words, told.folder, told.seconds)
    written = section(parts, "".join(f" {word}" for word in words))
    write(told.folder / "gpu.md", written)
    if told.page:
        write(told.page, with_section(told.page.read_text(encoding="utf-8"), written))
    print(f"wrote {told.folder / 'gpu.json'} and {told.folder / 'gpu.md'}")
    return int(any(part["wrong"] for part in parts.values()))


if __name__ == "__main__":
    sys.exit(main())
