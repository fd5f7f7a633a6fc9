"""Frames and requests, as larvaworld 2.5.1 sends them, and bytes that are none."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from ethospike.scenarios.interop.messages import (
    LARGEST_BYTES,
    FrameError,
    ProtocolError,
    Request,
    frame,
    ids_of,
    message,
    read_frame,
    request_of,
)

SEEN = (
    b'[{"class": "BrianInterfaceMessage", "args": ["chemorbit_3", "RE_NEU_PHI_DEF_navigator_MB_0", 7], '
    b'"kwargs": {"odor_id": 0, "odor_concentration": -0.25, "T": 100, "warmup": 0, "step_id": 7, '
    b'"reward": 1}}]'
)
"""A request as it was seen on the wire."""


def split(data: bytes, at: int) -> bytes | None:
    """Return what is read from data that come in two pieces, after which the connection ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5.0)
        theirs.sendall(data[:at])
        theirs.sendall(data[at:])
        theirs.shutdown(socket.SHUT_WR)
        payload = read_frame(ours)
        assert payload is None or read_frame(ours) is None
        return payload


def test_a_frame_counts_itself() -> None:
    """Four bytes, then the payload: struct.pack("!i", len(data) + 4) in larvaworld's ipc.py."""
    whole = frame(message("sim", "larva_0", 3, MBONp=1.5))
    assert struct.unpack("!i", whole[:4])[0] == len(whole)
    assert json.loads(whole[4:]) == [
        {"class": "BrianInterfaceMessage", "args": ["sim", "larva_0", 3], "kwargs": {"MBONp": 1.5}}
    ]


def test_frames_are_read_however_they_are_cut() -> None:
    whole = struct.pack("!i", len(SEEN) + 4) + SEEN
    assert all(split(whole, at) == SEEN for at in range(len(whole)))
    assert split(b"", 0) is None


@pytest.mark.parametrize("size", [-1, 0, 4, LARGEST_BYTES + 5, 2**31 - 1])
def test_impossible_sizes_are_refused_before_anything_is_read(size: int) -> None:
    with pytest.raises(FrameError, match="expected a payload"):
        split(struct.pack("!i", size) + b"x", 4)


def test_a_connection_that_ends_within_a_frame() -> None:
    whole = struct.pack("!i", len(SEEN) + 4) + SEEN
    for length in (1, 3, 5, len(whole) - 1):
        with pytest.raises(FrameError, match="ended"):
            split(whole[:length], 1)


def test_the_request_of_larvaworld() -> None:
    request = request_of(SEEN)
    assert request == Request("chemorbit_3", "RE_NEU_PHI_DEF_navigator_MB_0", 7, 100.0, -0.25, {}, 1.0, 0.0)
    assert request.larva == ("chemorbit_3", "RE_NEU_PHI_DEF_navigator_MB_0")
    assert ids_of(SEEN) == (*request.larva, 7)


def test_concentrations_are_in_the_order_of_their_names() -> None:
    asked = [message("s", "l_0", 0, odors_um={"UCS": 0.5, "CS": 2}, punishment=0.5, reward=True)]
    request = request_of(json.dumps(asked).encode())
    assert list(request.odors_um.items()) == [("CS", 2.0), ("UCS", 0.5)]
    assert (request.reward, request.punishment) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"args": ["s", "l"]}, "args"),
        ({"args": ["s", "l", -1]}, "step: expected"),
        ({"args": ["s", "l", True]}, "step: expected"),
        ({"args": ["s", "l", 1.0]}, "step: expected"),
        ({"args": ["", "l", 0]}, "sim_id"),
        ({"args": ["s", "l" * 201, 0]}, "model_id"),
        ({"args": [["s"], "l", 0]}, "sim_id"),
        ({"kwargs": []}, "kwargs"),
        ({"kwargs": {"odor_concentration": float("nan")}}, "odor_concentration: expected a finite"),
        ({"kwargs": {"odor_concentration": "1"}}, "odor_concentration"),
        ({"kwargs": {"T": -1}}, "T: expected"),
        ({"kwargs": {"reward": -1}}, "reward"),
        ({"kwargs": {"odors_um": [1.0]}}, "odors_um"),
        ({"kwargs": {"odors_um": {"CS": -1.0}}}, "CS"),
        ({"kwargs": {"concentration_mmol": 1.0}}, "OSN"),
    ],
)
def test_messages_that_are_no_request(change: dict, words: str) -> None:
    asked = {**message("s", "l_0", 0), **change}
    with pytest.raises(ProtocolError, match=words):
        request_of(json.dumps([asked]).encode())


@pytest.mark.parametrize(
    "payload", [b"\xff\xfe", b"{", b"{}", b"[]", b"[1]", b"[{}]", b"[{}, {}]", b"[" * 50_000, b"null"]
)
def test_payloads_that_are_no_message(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="request: expected"):
        request_of(payload)
    assert ids_of(payload) == ("", "", 0)
