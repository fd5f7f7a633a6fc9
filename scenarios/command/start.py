"""Entry point of the command `ethospike`: loads the other modules, in a second or two, and runs it."""

import os
import signal
import sys

PIPE_CLOSED = 128 + 13
"""Exit code after the reader of the output, such as `head`, has closed it: that of the signal SIGPIPE."""


def main() -> None:
    """Run the command `ethospike`."""
    # While packages load there is nothing to tidy up: Ctrl-C ends the process, without a traceback.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # and not in the background, where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ethospike.scenarios.command.app import main as command

    signal.signal(signal.SIGINT, handler)
    try:
        command()
        sys.stdout.flush()
    except BrokenPipeError:
        # What Python still has to write at its end would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
