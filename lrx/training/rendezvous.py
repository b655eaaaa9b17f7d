"""Where the processes of one training find each other: at torchrun's place, or on the first machine of a Slurm step.

There the first process opens a store at whatever port is free, and says which to those who ask at a port that follows
from the numbers of the job and the step. So nobody has to agree on a port, and others who use it do no harm.
"""

from __future__ import annotations

import hashlib
import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # public, but not said to be
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

PORTS = range(20_000, 32_768)  # Linux gives out those above by itself, see ip_local_port_range
GLANCE = 5.0  # seconds for an answer at a port that may be somebody else's


def meet(environment: Mapping[str, str], rank: int, size: int, patience: timedelta) -> Store:
    """The store where the processes tell each other their addresses.

    ValueError when Slurm does not say where that is, or no port is free; RuntimeError when the first process cannot be
    found for as long as `patience`.
    """
    if is_torchrun(environment):
        store: Store = next(rendezvous("env://", rank, size, timeout=patience))[0]
        return store
    host, ports = meeting_place(environment)
    name = step_name(environment)
    leads = rank == 0
    door = _free(host, ports) if leads else None
    port = 0 if leads else _ask(host, ports, name, patience)
    opened = TCPStore(host, port, size, is_master=leads, wait_for_workers=False, timeout=patience)
    if door:
        threading.Thread(target=_tell, args=(door, f"{name} {opened.port}\n".encode()), daemon=True).start()
    return opened


def is_torchrun(environment: Mapping[str, str]) -> bool:
    """Whether this process was started by torchrun, or by whoever sets the same variables."""
    return "RANK" in environment and "WORLD_SIZE" in environment


def meeting_place(environment: Mapping[str, str]) -> tuple[str, Sequence[int]]:
    """The first machine of a Slurm step, and the ports to ask at, in turn; MASTER_ADDR and MASTER_PORT win.

    ValueError when Slurm does not say.
    """
    host = environment.get("MASTER_ADDR") or _first_host(environment.get("SLURM_STEP_NODELIST", ""))
    if "MASTER_PORT" in environment:
        return host, [int(environment["MASTER_PORT"])]
    digest = hashlib.sha256(step_name(environment).encode()).digest()
    return host, [PORTS[int.from_bytes(digest[at : at + 4], "big") % len(PORTS)] for at in (0, 4, 8)]


def step_name(environment: Mapping[str, str]) -> str:
    """A step's name as Slurm writes it, such as 20007.0; two steps of one job must not meet."""
    return f"{environment.get('SLURM_JOB_ID', '0')}.{environment.get('SLURM_STEP_ID', '0')}"


def _free(host: str, ports: Sequence[int]) -> socket.socket:
    for port in ports:
        with suppress(OSError):
            return socket.create_server(("", port))
    taken = " and ".join(map(str, ports))
    raise ValueError(
        f"ports are taken where the processes would meet, on {host}: {taken}; give MASTER_PORT, a free one"
    )


def _tell(door: socket.socket, answer: bytes) -> None:
    while True:
        with suppress(OSError):  # of one who has gone
            connection, _ = door.accept()
            with connection:
                connection.sendall(answer)


def _ask(host: str, ports: Sequence[int], name: str, patience: timedelta) -> int:
    end = time.monotonic() + patience.total_seconds()
    for port in itertools.cycle(ports):
        with suppress(OSError, ValueError), socket.create_connection((host, port), GLANCE) as connection:
            told, opened = connection.makefile("rb").readline(100).split()
            if told == name.encode():  # another training that meets here has another name
                return int(opened)
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    raise RuntimeError(f"nobody speaks for {name} on {host}")


def _first_host(nodes: str) -> str:
    try:
        told = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True)
        return told.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise ValueError(
            f"scontrol does not name the machines of {nodes!r}; give MASTER_ADDR, the first one"
        ) from error
