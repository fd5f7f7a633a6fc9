"""The live view's process: receives batches from the loop, and draws the newest state, or serves it.

The socket is given by its number on the command line. The process ends when the window is closed, and when
the run ends, in any way. Run as `python -m ethospike.recorders.view.process`.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections import deque

from ethospike.errors import ViewError
from ethospike.recorders.view.link import Inbox
from ethospike.recorders.view.live import lower_priority
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.screen import window_steps
from ethospike.recorders.view.serve import serve
from ethospike.recorders.view.source import Batch, LiveSource
from ethospike.recorders.view.window import show

MOST_WAITING = 25 * 60
"""Batches that are kept while the view is paused: those of a minute."""


def main(fd: int) -> None:
    """Show the batches of a socket until the window is closed or the run ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    link = socket.socket(fileno=fd)
    inbox = Inbox(link)
    try:
        layout, title, listening = inbox.wait()
    except EOFError:
        return
    source = LiveSource(layout, title, kept=window_steps(layout))
    waiting: deque[Batch] = deque()
    told = 0

    def at_each_frame(player: Player) -> None:
        nonlocal told
        waiting.extend(inbox.receive())
        if player.state.paused:
            # What is looked at must not be forgotten; what comes meanwhile is, when it is too much.
            while len(waiting) > MOST_WAITING:
                waiting.popleft()
        while waiting and not player.state.paused:
            source.add(waiting.popleft())
        if inbox.is_over:
            player.is_open = False
        elif told != source.animal:
            told = source.animal
            link.send(f"{told}\n".encode())

    def opened(address: str = "") -> None:
        link.sendall(f"open {address}\n".encode())

    try:
        if listening is None:
            show(source, at_each_frame=at_each_frame, opened=opened)
        else:
            serve(source, listening, at_each_frame=at_each_frame, opened=opened)
    except ViewError as error:
        link.setblocking(True)
        link.sendall(f"{error}\n".encode())
    except (BrokenPipeError, ConnectionResetError):
        # The run ended between two frames.
        return
    finally:
        link.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
