"""Where the command `ethospike` starts: loads the rest, which takes a second or two, and runs it."""

import signal


def main() -> None:
    """Run the command `ethospike`."""
    # While packages load there is nothing to tidy up: Ctrl-C ends the process, without a traceback.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # and not in the background, where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ethospike.scenarios.__main__ import main as command

    signal.signal(signal.SIGINT, handler)
    command()
