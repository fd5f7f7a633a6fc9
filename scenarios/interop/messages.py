"""The messages by which larvaworld asks for a brain, as its client sends and reads them.

A frame is four bytes, a big-endian signed integer that counts itself and the payload, and then the payload: a
JSON list of objects `{"class", "args", "kwargs"}`. Each control step of each larva is one connection, one
request and one reply. Source: larvaworld 2.5.1 (github.com/nawrotlab/larvaworld; lib/ipc, and the class
RemoteBrianModelMemory in lib/model/modules/memory.py).
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ethospike.errors import EthospikeError

MESSAGE_CLASS = "BrianInterfaceMessage"
"""Name under which larvaworld's client knows its messages; it reads no others."""
LARGEST_BYTES = 64 * 1024
"""Largest accepted payload. A request has some 300 bytes, and some 30 more for each odor."""
LONGEST_NAME = 200
"""Longest name (characters) of a simulation, a larva or an odor."""
HEADER = struct.Struct("!i")


class ProtocolError(EthospikeError, ValueError):
    """Bytes or messages that are not a request; the message names the expected form."""


class FrameError(ProtocolError):
    """A frame that is cut off or too long, so that the begin of the next frame is unknown."""


@dataclass(frozen=True)
class Request:
    """A control step of a larva, as its simulation describes it.

    Parameters
    ----------
    sim_id, model_id : str
        Names of the simulation and of the larva in it.
    step : int
        Control step of the larva, from 0.
    interval_ms : float
        Length of the control step.
    change : float
        Change of the single odor's concentration in the step before, relative to the concentration.
    odors_um : mapping of str to float
        Concentrations at the head (µM), from a client that sends them; empty otherwise.
    reward, punishment : float
        Strengths of reinforcement, from 0.
    """

    sim_id: str
    model_id: str
    step: int
    interval_ms: float = 100.0
    change: float = 0.0
    odors_um: Mapping[str, float] = field(default_factory=dict)
    reward: float = 0.0
    punishment: float = 0.0

    @property
    def larva(self) -> tuple[str, str]:
        """Simulation and larva, which identify the brain."""
        return self.sim_id, self.model_id


def read_frame(connection: socket.socket) -> bytes | None:
    """Return the payload of the next frame, however it is cut into pieces; None if there is no further frame.

    Raises
    ------
    FrameError
        When the frame's length is impossible, or the connection ends within it.
    TimeoutError, OSError
        When the connection is silent for longer than its timeout, or breaks.
    """
    header = _read(connection, HEADER.size)
    if not header:
        return None
    if len(header) < HEADER.size:
        raise FrameError("the connection ended within the header of a frame")
    size = HEADER.unpack(header)[0] - HEADER.size
    if not 0 < size <= LARGEST_BYTES:
        raise FrameError(f"frame: expected a payload of 1 … {LARGEST_BYTES} bytes, got {size}")
    payload = _read(connection, size)
    if len(payload) < size:
        raise FrameError(f"the connection ended after {len(payload)} of {size} bytes of a frame")
    return payload


def _read(connection: socket.socket, size: int) -> bytes:
    """Return `size` bytes, or fewer where the connection ends."""
    pieces: list[bytes] = []
    while size > 0:
        piece = connection.recv(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def frame(message: Mapping[str, Any]) -> bytes:
    """Return a message as a frame, to be sent in one piece: the client reads a reply only once."""
    payload = json.dumps([message]).encode("ascii")
    return HEADER.pack(len(payload) + HEADER.size) + payload


def message(sim_id: str, model_id: str, step: int, **kwargs: Any) -> dict[str, Any]:
    """Return a message in the form of larvaworld's client."""
    return {"class": MESSAGE_CLASS, "args": [sim_id, model_id, step], "kwargs": kwargs}


def ids_of(payload: bytes) -> tuple[str, str, int]:
    """Return the ids of a request as far as they can be read, for the reply to a faulty one."""
    try:
        sim_id, model_id, step = json.loads(payload)[0]["args"]
        return str(sim_id)[:LONGEST_NAME], str(model_id)[:LONGEST_NAME], int(step)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return "", "", 0


def request_of(payload: bytes) -> Request:
    """Read a request.

    Raises
    ------
    ProtocolError
        When the payload is not a request.
    """
    try:
        messages = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"request: expected JSON, got {payload[:40]!r}") from error
    if not (isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict)):
        raise ProtocolError("request: expected a list of one message")
    args, kwargs = messages[0].get("args"), messages[0].get("kwargs")
    if not (isinstance(args, list) and len(args) == 3 and isinstance(kwargs, dict)):
        raise ProtocolError("request: expected args [sim_id, model_id, step] and kwargs")
    if "concentration_mmol" in kwargs:
        raise ProtocolError(
            "request: expected one of a mushroom-body model (ids that end in _MB), got one of an OSN model"
        )
    odors = kwargs.get("odors_um", {})
    if not isinstance(odors, dict):
        raise ProtocolError(f"odors_um: expected concentrations by odor, got {odors!r}")
    return Request(
        sim_id=_name("sim_id", args[0]),
        model_id=_name("model_id", args[1]),
        step=_count("step", args[2]),
        interval_ms=_number("T", kwargs.get("T", 100.0), least=0.0),
        change=_number("odor_concentration", kwargs.get("odor_concentration", 0.0)),
        odors_um={_name("odor", odor): _number(odor, um, least=0.0) for odor, um in sorted(odors.items())},
        reward=_number("reward", kwargs.get("reward", 0.0), least=0.0),
        punishment=_number("punishment", kwargs.get("punishment", 0.0), least=0.0),
    )


def _name(what: str, value: Any) -> str:
    if not (isinstance(value, str) and 0 < len(value) <= LONGEST_NAME):
        raise ProtocolError(f"{what}: expected a name of 1 … {LONGEST_NAME} characters, got {value!r:.60}")
    return value


def _count(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ProtocolError(f"{what}: expected a whole number from 0 on, got {value!r:.60}")
    return value


def _number(what: str, value: Any, least: float = -math.inf) -> float:
    number = isinstance(value, (int, float))  # also true and false, as which larvaworld may send a reward
    if not number or not math.isfinite(value) or value < least:
        above = "" if least == -math.inf else f" of at least {least:g}"
        raise ProtocolError(f"{what}: expected a finite number{above}, got {value!r:.60}")
    return float(value)
