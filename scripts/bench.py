"""Run all benchmarks, each in a process of its own, and write docs/benchmarks.md.

python scripts/bench.py [--quick] [--threads 2] [--folder kept]

A section that fails does not lose the others: the page is written without it and says so, and the exit status is 1.
--folder keeps what was measured, a file a section; a section that is there already is not measured again.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchrate import machine
from benchtable import Section, arguments, markdown, missed
from gpu_check import kept, with_section

SCRIPTS = Path(__file__).parent
PAGE = SCRIPTS.parent / "docs" / "benchmarks.md"
PICTURE = "images/cost_curves.png"  # as the page sees it
ORDER = (
    "response",
    "adaptive",
    "conditioned",
    "maps",
    "jacobians",
    "generation",
    "train",
    "data",
    "metrics",
    "collect",
    "curves",
)

HEAD = """# Benchmarks

Each section times lrx against a plain implementation of the same work, with the same weights, in the same run: a direct
implementation from the paper. The sides alternate, each in a process of its own; a value is the median over turns, with
minimum and maximum in parentheses. The share of the matrix rate is relative to the faster of a product of 2048 x 2048
matrices and a 3 x 3 convolution of 64 channels, in the same precision; it counts the products and convolutions of the
networks. Plain sides use torch's own layers; lrx has faster forms of two of them
(`lrx/models/layers/upsample_conv.py`, `lrx/models/layers/transposed_conv.py`), with the same weights. This page is
written by

```
{command}
```

On one GPU, `scripts/gpu_check.sh --page docs/benchmarks.md` checks lrx (CUDA tests, waits, agreement with the CPU) and
times it in at most ten minutes, and writes a section at the end of this page, which stays when the page is written
again; `outputs/gpu_check` has the same as gpu.json and gpu.md. `--cpu` tries it without a GPU.
"""
QUICK = "\nThis was a quick check on tiny sizes: its figures are not meaningful.\n"


def measured(names: Sequence[str], folder: Path, *, quick: bool, threads: int) -> tuple[dict[str, Section], list[str]]:
    """Return the sections by name and the names of failed ones; each is stored as a pickle in the folder."""
    found, failed = {}, []
    for name in names:
        stored, began = folder / f"{name}.pickle", time.perf_counter()
        if not stored.exists():
            words = ["--threads", str(threads), "--store", str(stored), *(["--quick"] if quick else [])]
            print(f"== {name}", flush=True)
            done = subprocess.run([sys.executable, str(SCRIPTS / f"bench_{name}.py"), *words], check=False)
            print(f"   {time.perf_counter() - began:.0f} s", flush=True)
            if done.returncode:
                failed.append(name)
                continue
        found[name] = pickle.loads(stored.read_bytes())
    return found, failed


def page(
    sections: Mapping[str, Section], failed: Sequence[str], about: Mapping[str, str], command: str, *, quick: bool
) -> str:
    """Return the page as Markdown: command, machine, missed demands, and one section per benchmark."""
    parts = [HEAD.format(command=command) + (QUICK if quick else "")]
    parts.append("\n".join(["| machine | |", "|---|---|", *(f"| {key} | {value} |" for key, value in about.items())]))
    misses = [f"- {section.title}: {line}" for section in sections.values() for line in missed(section)]
    misses += [f"- {name}: failed, and was not measured" for name in failed]
    parts.append("\n".join(["What was demanded and missed:\n", *misses]) if misses else "All that was demanded is met.")
    parts += [markdown(section, PICTURE) for section in sections.values()]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--folder", type=Path, help="folder of the measurements (default: a temporary one)")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write; the picture goes into its folder")
    told = parser.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    sections, failed = measured(ORDER, folder, quick=told.quick, threads=told.threads)
    words = f"python scripts/bench.py --threads {told.threads}{' --quick' if told.quick else ''}"
    written = page(sections, failed, machine(told.threads), words, quick=told.quick)
    earlier = told.page.read_text(encoding="utf-8") if told.page.exists() else ""
    told.page.write_text(with_section(written, kept(earlier)), encoding="utf-8")
    for section in sections.values():
        if section.picture is not None:
            place = told.page.parent / PICTURE
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(section.picture)
    print(f"wrote {told.page}; measurements are in {folder}")
    if failed:
        print(f"failed: {', '.join(failed)}; run these again with --folder {folder}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
