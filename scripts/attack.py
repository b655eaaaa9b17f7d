"""Read ten thousand damaged files with every reader of lrx, under a limit of memory: refusals only.

    python scripts/attack.py [copies] [reader ...]      (10,000 copies over all readers, unless another number is given)

A copy of a good file has 1 to 20 bytes changed, is cut, or has two of its parts swapped, from a fixed seed. A process
of its own reads the copies of a reader, with an address space of 6 GB. Reading one, or refusing it with a ValueError or
an OSError of one line, is right; any other error, the death of the process and a reading of more than a minute are
faults, which are printed with the number of the copy. Prints a table; exit status 1 if there was a fault.
"""

from __future__ import annotations

import random
import resource
import select
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.readers import READERS

SEED = 0
ADDRESS_SPACE = 6 << 30  # bytes
SLOWEST = 60.0  # seconds for one copy
READ, REFUSED = "read", "refused"


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a copy with some bytes changed, cut at the end or in the middle, or with two parts swapped."""
    places = sorted(chance.randrange(len(content) + 1) for _ in range(4))
    match chance.randrange(4):
        case 0:
            return content[: places[0]]
        case 1:
            return content[: places[1]] + content[places[2] :]
        case 2:
            a, b, c, d = places
            return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]
        case _:
            changed = bytearray(content)
            for _ in range(chance.randint(1, 20)):
                changed[chance.randrange(len(content))] = chance.randrange(256)
            return bytes(changed)


def outcome(name: str, path: Path, content: bytes) -> str:
    """Write a damaged copy to a path and read it; return `read`, `refused` or what is wrong."""
    path.write_bytes(content)
    try:
        READERS[name].read(path)
    except (ValueError, OSError) as error:
        return REFUSED if "\n" not in str(error) else f"a message of several lines: {error!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return READ


def read_copies(name: str, folder: Path, first: int, count: int) -> None:
    """Read copies in this process, and print the number and the outcome of each."""
    path = READERS[name].make(folder)
    content = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for number in range(first, count):
        text = outcome(name, path, damaged(content, random.Random(f"{SEED} {name} {number}")))
        print(f"{number}\t{' '.join(text.split())}", flush=True)


def attack(name: str, count: int) -> tuple[Counter[str], list[str]]:
    """Return how many copies were read and refused, and a line for each fault."""
    tally, faults, first = Counter[str](), list[str](), 0
    while first < count:
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "scripts.attack", "--copies", name, folder, str(first), str(count)]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert process.stdout is not None
            assert process.stderr is not None
            while select.select([process.stdout], [], [], SLOWEST)[0]:
                line = process.stdout.readline()
                if not line:
                    break
                number, _, text = line.rstrip("\n").partition("\t")
                first = int(number) + 1
                if text in (READ, REFUSED):
                    tally[text] += 1
                else:
                    faults.append(f"{name}, copy {number}: {text}")
            else:
                process.kill()
            status = process.wait()
            if first < count:  # the process ended early, at the copy after the last one that it told of
                end = process.stderr.read().strip().splitlines()[-1:] or [""]
                faults.append(f"{name}, copy {first}: the process ended with {status} {end[0]}")
                first += 1
    return tally, faults


def main(words: list[str]) -> int:
    if words[:1] == ["--copies"]:
        name, folder, first, count = words[1:]
        read_copies(name, Path(folder), int(first), int(count))
        return 0
    total = int(words[0]) if words else 10_000
    names = words[1:] or list(READERS)
    faults = []
    print("| reader | damaged copies | read | refused | faults |")
    print("|---|---|---|---|---|")
    for name in names:
        count = -(-total // len(names))
        tally, wrong = attack(name, count)
        print(f"| {name} | {count} | {tally[READ]} | {tally[REFUSED]} | {len(wrong)} |", flush=True)
        faults += wrong
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
