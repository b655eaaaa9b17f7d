"""Standard output and standard error that are closed, full, or left by their reader.

A message that cannot be written never ends work: the first fault of a stream is kept, and the rest goes to the null
device. Commands whose only work is printing then ask for the fault.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STREAMS = {"stdout": 1, "stderr": 2}  # names in `sys`, and file descriptors


class OutputStream(io.TextIOWrapper):
    """Text stream that keeps its first failed write as `fault` in place of raising it, and drops the text after it."""

    fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write text; return its length."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Keep the fault, and send what the buffer still holds, and all that follows, to the null device."""
        self.fault = self.fault or error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        with suppress(OSError):
            super().flush()


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Replace standard output and standard error of the process by such streams for the block.

    A stream that was closed before the process started gets its descriptor back, on a device that refuses every write:
    the next file that is opened must not become standard output. Streams of other classes, such as those of a notebook,
    are left alone.
    """
    before = {name: getattr(sys, name) for name in STREAMS}
    for name, descriptor in STREAMS.items():
        stream = before[name]
        if stream is None:
            _reserve(descriptor)
            setattr(sys, name, _open(descriptor, "utf-8", line_buffering=name == "stderr"))
        elif type(stream) is io.TextIOWrapper and stream.fileno() == descriptor:
            with suppress(OSError):  # the new stream has the same fault
                stream.flush()
            setattr(sys, name, _open(descriptor, stream.encoding, stream.errors or "strict", stream.line_buffering))
    try:
        yield
    finally:
        for name, stream in before.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)


def stdout_fault() -> OSError | None:
    """Return the first failed write of standard output; None where all was written, or its reader has seen enough."""
    sys.stdout.flush()
    fault = getattr(sys.stdout, "fault", None)
    return None if isinstance(fault, BrokenPipeError) else fault


def _open(
    descriptor: int, encoding: str, errors: str = "backslashreplace", line_buffering: bool = True
) -> OutputStream:
    file = open(descriptor, "wb", closefd=False)  # noqa: SIM115 (lives as long as the process)
    return OutputStream(file, encoding=encoding, errors=errors, line_buffering=line_buffering, write_through=True)


def _reserve(descriptor: int) -> None:
    """Open the null device for reading at a closed descriptor."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDONLY)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
