"""Scores of results files by the bytes of their headers: opening each with HDF5 takes longer than all else of a scan.

lrx stores a score as a scalar data set without attributes, whose object header in the file is the same bytes for each
but for the address of the number (HDF5 File Format Specification, IV.A.1). The bytes are those of a score that HDF5
itself has opened; a data set with any other header is left to HDF5.
"""

from __future__ import annotations

import os
import struct

from h5py import h5d, h5o, h5t

ADDRESS = struct.Struct("<Q")
NUMBER = struct.Struct("<d")
CONTIGUOUS = b"\x03\x01"  # version of a layout, and its class; address and size follow
SIZE = ADDRESS.pack(NUMBER.size)


class ScoreHeader:
    """Header of a score, which is known once `learn` was called with one."""

    def __init__(self) -> None:
        self._before, self._after = b"", b""  # the address

    def learn(self, file: int, stored: h5d.DatasetID) -> None:
        """Take the header of a scalar data set for that of scores, if it is one of float64 in a piece of the file.

        file: descriptor of the open file.
        """
        about, place = h5o.get_info(stored), stored.get_offset()
        if place is None or about.num_attrs or about.hdr.nchunks != 1 or stored.get_type() != h5t.IEEE_F64LE:
            return
        try:
            header = os.pread(file, about.hdr.space.total, about.addr)
        except (OSError, OverflowError):
            return
        layout = CONTIGUOUS + ADDRESS.pack(place) + SIZE
        if header.count(layout) == 1:
            before, _, after = header.partition(layout)
            self._before, self._after = before + CONTIGUOUS, SIZE + after

    def read(self, file: int, address: int) -> float | None:
        """Return the score whose header is at this address of a file; None for a header that is another."""
        start, size = len(self._before), len(self._before) + ADDRESS.size + len(self._after)
        if not start:
            return None
        try:
            header = os.pread(file, size, address)
            if len(header) < size or not (header.startswith(self._before) and header.endswith(self._after)):
                return None
            number = os.pread(file, NUMBER.size, ADDRESS.unpack_from(header, start)[0])
        except (OSError, OverflowError):  # an address that no file has
            return None
        return NUMBER.unpack(number)[0] if len(number) == NUMBER.size else None
