"""Two processes that join one training, as torchrun starts them."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

CONTEXT = multiprocessing.get_context("forkserver")
MODULES = ["tests.training.test_distributed", "tests.training.test_data_parallel", "torch._dynamo"]
CONTEXT.set_forkserver_preload(MODULES)  # seconds of imports, once


def join_as(rank: int, port: int) -> None:
    """Make this process one of two, as torchrun does."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for(*files: Path) -> None:
    deadline = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begin(
    target: Callable[..., None], *arguments: object, each: Sequence[tuple[object, ...]] = ((), ()), port: int = 0
) -> list[ForkServerProcess]:
    """Start a function in two processes that meet at this port; 0: a free one."""
    port = port or free_port()
    started = [CONTEXT.Process(target=target, args=(rank, port, *arguments, *each[rank])) for rank in range(2)]
    for process in started:
        process.start()
    return started


def two(target: Callable[..., None], *arguments: object, each: Sequence[tuple[object, ...]] = ((), ())) -> list[int]:
    """Run a function in two processes; their exit codes."""
    started = begin(target, *arguments, each=each)
    for process in started:
        process.join(120)
    assert all(process.exitcode is not None for process in started)
    return [process.exitcode for process in started]
