"""Entry point of the command `ethospike`: prepares its surroundings, loads the other modules, and runs it.

A run must not fail at its end because of the place where its results are shown: standard streams, their
encoding, the backend of Matplotlib. Nothing slow is imported at the top.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys

PIPE_CLOSED = 128 + 13
"""Exit code after the reader of the output, such as `head`, has closed it: that of the signal SIGPIPE."""
PLAIN = {
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "µ": "u",
    "μ": "u",
    "°": " deg",
    "≤": "<=",
    "≥": ">=",
    "±": "+-",
    "→": "->",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Replacements for terminals that lack a character; others become escapes such as \\u03c4."""
HANDLER = "ethospike.plain"
"""Name of the handler of encoding errors that replaces characters by `PLAIN`."""


def main() -> None:
    """Run the command `ethospike`."""
    # While packages load there is nothing to tidy up: Ctrl-C ends the process, without a traceback.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # and not in the background, where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    prepare()
    from ethospike.scenarios.command.app import main as command

    signal.signal(signal.SIGINT, handler)
    try:
        command()
    except BrokenPipeError:
        _leave_stdout()
        sys.exit(PIPE_CLOSED)
    finally:
        _flush_stdout()


def _flush_stdout() -> None:
    """Write the rest of the output, and exit with a message where that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_stdout()
        sys.exit(PIPE_CLOSED)
    except OSError as error:
        _leave_stdout()
        print(f"ethospike: the output cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _leave_stdout() -> None:
    """Send the rest of the output nowhere: Python would try to write it at its end, and complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare() -> None:
    """Make standard streams that can be written to, in whatever encoding; figures need no window."""
    _open_closed_streams()
    codecs.register_error(HANDLER, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
    # Figures are only saved. In a notebook's shell, the variable names a backend for its cells, whose package
    # need not be installed here.
    os.environ["MPLBACKEND"] = "agg"


def plain(error: UnicodeError) -> tuple[str, int]:
    """Replace the characters that an encoding lacks; a handler for `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escaped = (c.encode("ascii", "backslashreplace").decode("ascii") for c in characters)
    return "".join(PLAIN.get(c, e) for c, e in zip(characters, escaped, strict=True)), error.end


def _open_closed_streams() -> None:
    """Open standard streams that were closed, as by `>&-`: files of ours would get their numbers."""
    for number, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number: this one
        name = ("stdin", "stdout", "stderr")[number]
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
