"""The command `ethospike serve-brain`: a mushroom body for the larvae of larvaworld."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from cyclopts import Parameter

from ethospike.scenarios import configuration
from ethospike.scenarios.command.choices import LOOPBACK, Flags
from ethospike.scenarios.odor.preference import PreferenceConfig
from ethospike.scenarios.registry import find_scenario

if TYPE_CHECKING:
    from ethospike.scenarios.interop.server import BrainServer

LIKE = "odor-preference"
"""The scenario with the fields (--larva.…, --brain.…, --seed) of the server's larvae."""


@Parameter(name="*")
@dataclass(frozen=True)
class Listening:
    """The address of the server, and its timeout."""

    host: str = "127.0.0.1"
    """Address to listen on. An address other than this machine's local one admits the whole network."""
    port: int = 5795
    """Port to listen on; larvaworld's client uses 5795."""
    forget_s: float = 600.0
    """Time after which a larva without a request is forgotten (s)."""
    quiet: bool = False
    """Print nothing while the server runs."""


@Parameter(name="*")
@dataclass(frozen=True)
class Larvae:
    """The configuration of larvae beside the flags of their fields."""

    config: Path | None = None
    """A TOML file with fields of the larvae, e.g. the config.toml of an earlier run."""
    preset: str = ""
    """A named set of values: calibrated, published."""


HERE, AS_THEY_ARE = Listening(), Larvae()
"""The defaults."""


def serve_brain(
    *flags: Flags,
    larvae: Larvae = AS_THEY_ARE,
    reply: Literal["gain", "hz"] = "gain",
    start_um: float = 1.0,
    record: Path | None = None,
    listening: Listening = HERE,
) -> None:
    """Give larvaworld's larvae a mushroom body: answer its client until Ctrl-C.

    Parameters
    ----------
    flags
        Fields of the larvae, as of the scenario odor-preference: --larva.gain, --brain.learning-rate, --seed.
    reply
        gain: MBONp and MBONn are scaled so that the client, with a G of 0.001, obtains the olfactory gain;
        hz: filtered rates.
    start_um
        Concentration at the first step (µM), for a client that sends only changes.
    record
        A folder for a recording of each larva's messages and spikes.
    """
    from ethospike.scenarios.interop.brains import BrainSettings
    from ethospike.scenarios.interop.server import BrainServer

    chosen = find_scenario(LIKE)
    like = configuration.from_command(chosen, flags, config=larvae.config, preset_name=larvae.preset)
    if like is None:
        return
    assert isinstance(like, PreferenceConfig)
    settings = BrainSettings(like.larva, like.brain, like.seed, reply, start_um, record)
    if listening.host not in LOOPBACK:
        print(f"serve-brain: {listening.host} lets anybody in who reaches this machine", file=sys.stderr)
    _serve(
        BrainServer(
            settings, listening.host, listening.port, forget_s=listening.forget_s, quiet=listening.quiet
        )
    )


def _serve(server: BrainServer) -> None:
    """Answer requests until a signal arrives, then print a report."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print("serve-brain: compiling (a minute, once)", file=sys.stderr, flush=True)
    server.warm_up()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    print(f"listening on {server.server_address[0]!s}:{server.port}; Ctrl-C ends it", flush=True)
    stop.wait()
    server.shutdown()
    server.server_close()
    print(report(server.exchanges, server.nursery.made, list(server.answer_ms)))


def report(exchanges: int, larvae: int, answer_ms: list[float]) -> str:
    """Return a readable report on a server's requests."""
    if not answer_ms:
        return "nobody asked"
    median, high = np.percentile(answer_ms, (50, 95))
    return f"{exchanges} exchanges with {larvae} larvae; an answer took {median:.2f} ms (95 %: {high:.2f} ms)"
