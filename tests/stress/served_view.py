"""Measures a view that is served to a browser: pictures a second over loopback, and what a picture costs.

    python tests/stress/served_view.py runs/FOLDER --pictures 200

`ethospike view RUN --serve` is started as a user starts it, and a reader here takes all pictures. Processor
time is that of the serving process, so that it counts the same on a busy machine; pictures a second do not.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
FIRST = 10
"""Pictures that are not counted: fonts and backgrounds are made for them."""


def pictures(address: str) -> Iterator[bytes]:
    """Yield the pictures of a view until it ends."""
    parts = urlsplit(address)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    connection.request("GET", f"/frames?{parts.query}")
    answer = connection.getresponse()
    while length := int.from_bytes(answer.read(4), "big"):
        yield answer.read(length)


def processor_s(pid: int) -> float:
    """Return the processor time of a process, children left out (Linux)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--start", default="10", help="s of simulated time")
    options = parser.parse_args()
    words = ["-m", "ethospike", "view", options.run, "--serve", "--speed", "5", "--start", options.start]
    view = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert view.stdout is not None
        found = re.search(r"http\S+", view.stdout.readline())
        assert found is not None, "the view printed no address"
        n_bytes, begin_s, used_s = 0, 0.0, 0.0
        for number, picture in enumerate(pictures(found[0])):
            if number == FIRST:
                n_bytes, begin_s, used_s = 0, time.perf_counter(), processor_s(view.pid)
            n_bytes += len(picture)
            if number == FIRST + options.pictures:
                break
        wall_s, used_s = time.perf_counter() - begin_s, processor_s(view.pid) - used_s
    finally:
        view.terminate()
        view.wait()
    n = options.pictures
    print(
        f"{n / wall_s:.1f} pictures a second (at most 25), {1000 * used_s / n:.1f} ms of processor time and "
        f"{n_bytes / n / 1000:.0f} kB each"
    )


if __name__ == "__main__":
    main()
