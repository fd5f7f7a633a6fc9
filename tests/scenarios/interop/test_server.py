"""A server that answers as larvaworld's client expects, whatever clients do."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ethospike.errors import ScenarioError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.interop import messages
from ethospike.scenarios.interop.brains import BrainSettings, Larva, Nursery
from ethospike.scenarios.interop.messages import Request
from ethospike.scenarios.interop.server import BrainServer


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[BrainServer]:
    made = BrainServer(getattr(request, "param", BrainSettings()), port=0, silence_s=1.0)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def connected(server: BrainServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=180.0)


def asked(server: BrainServer, sim_id: str, model_id: str, step: int, **kwargs: Any) -> dict[str, Any]:
    """Ask as larvaworld's client does: a connection, one request, one read of the reply."""
    with connected(server) as client:
        client.sendall(messages.frame(messages.message(sim_id, model_id, step, **kwargs)))
        return reply_of(client)


def reply_of(client: socket.socket) -> dict[str, Any]:
    size = struct.unpack("!i", client.recv(4))[0]
    [reply] = json.loads(client.recv(size - 4))  # once, as the client does
    assert reply["class"] == "BrianInterfaceMessage"
    reply["kwargs"]["args"] = reply["args"]
    kwargs: dict[str, Any] = reply["kwargs"]
    assert {"MBONp", "MBONn"} <= kwargs.keys()
    return kwargs


def course(server: BrainServer, sim_id: str, model_id: str, steps: int = 12) -> list[dict[str, Any]]:
    """Return the replies to a larva that smells an odor which grows, with a reward."""
    return [asked(server, sim_id, model_id, k, odor_concentration=0.02 * k, reward=1) for k in range(steps)]


# -- larvae -----------------------------------------------------------------------------------------------


def test_a_larva_keeps_its_state_over_connections_and_repeats_itself(server: BrainServer) -> None:
    first = course(server, "sim_1", "group_0")
    assert [reply["args"] for reply in first] == [["sim_1", "group_0", k] for k in range(12)]
    assert first[-1]["MBONp_hz"] > 1.0  # it has smelled something
    # The same larva of the next simulation is the same animal; another larva is another.
    again, other = course(server, "sim_2", "group_0"), course(server, "sim_1", "group_1")
    assert [reply["MBONp_hz"] for reply in again] == [reply["MBONp_hz"] for reply in first]
    assert [reply["MBONp_hz"] for reply in other] != [reply["MBONp_hz"] for reply in first]
    assert len(server.nursery) == 3
    # From step 0 a simulation with the same ids begins anew.
    assert course(server, "sim_1", "group_0")[-1]["MBONp_hz"] == first[-1]["MBONp_hz"]
    assert len(server.nursery) == 3


def test_the_answer_is_that_of_the_larva_in_the_arena() -> None:
    """Same seed, same concentrations: what LarvaAgent decides is what the client is told."""
    from ethospike.agents.larva import LarvaAgent

    settings = BrainSettings(reply="gain")
    larva = Larva(settings, Request("s", "g_3", 0, odors_um={"A": 1.0, "B": 0.5}))
    agent = LarvaAgent(odors=("A", "B"), seed=settings.seed_of("g_3"))
    for step in range(15):
        um = {"A": 1.0 + 0.05 * step, "B": 0.5}
        reply = larva.answer(Request("s", "g_3", step, odors_um=um, reward=1.0))
        decision = agent.act(np.array([[*um.values(), 1.0, 0.0, 0.0]]))
    preference = decision.readout["preference"][0]
    rates = decision.readout["mbon_rate_hz"][0]
    assert rates.min() > 1.0
    assert (reply["MBONp_hz"], reply["MBONn_hz"]) == pytest.approx(tuple(rates))
    # larvaworld's client: gain = G (MBONp - MBONn) with G = 0.001; ours: 150 times the preference.
    assert 0.001 * (reply["MBONp"] - reply["MBONn"]) == pytest.approx(150.0 * preference, abs=1e-9)
    larva.close()
    agent.close()


def test_changes_are_integrated() -> None:
    larva = Larva(BrainSettings(start_um=0.5), Request("s", "g_0", 0))
    seen = []
    larva._agent.act = lambda senses, act=larva._agent.act: seen.append(senses[0, 0]) or act(senses)  # type: ignore[method-assign]
    for step, change in enumerate((0.0, 1.0, -0.5, -2.0, 1e9)):
        larva.answer(Request("s", "g_0", step, change=change))
    # The highest: the saturation of the encoding, 1.4 times 2 µM.
    assert seen == pytest.approx([0.5, 1.0, 0.5, 1e-6, 2.8 if 1e-6 * (1 + 1e9) > 2.8 else 1e-6 * (1 + 1e9)])
    larva.close()


def test_rates_instead_of_gains() -> None:
    larva = Larva(BrainSettings(reply="hz"), Request("s", "g_0", 0, odors_um={"A": 2.0}))
    for step in range(10):
        reply = larva.answer(Request("s", "g_0", step, odors_um={"A": 2.0}))
    assert reply["MBONp"] == reply["MBONp_hz"] > 1.0
    larva.close()


def test_seeds_are_by_group_and_number() -> None:
    settings = BrainSettings(seed=7)
    names = ("a_0", "a_1", "b_0", "a_10", "a", "RE_NEU_PHI_DEF_navigator_MB_0")
    seeds = {settings.seed_of(name) for name in names}
    assert len(seeds) == len(names) - 1  # "a" is larva 0 of its group
    assert BrainSettings(seed=8).seed_of("a_0") != settings.seed_of("a_0")


def test_larvae_that_nobody_asks_for_are_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    nursery = Nursery(BrainSettings(), forget_s=0.0, say=print)
    nursery.answer(Request("s", "g_0", 0))
    nursery.answer(Request("s", "g_1", 0))
    assert len(nursery) == 1
    assert "g_0 of s was forgotten" in capsys.readouterr().out
    # At step 5 it is a new larva, and whoever reads the terminal learns of it.
    nursery.answer(Request("s", "g_0", 5))
    assert "begins at step 5: what it learned before is lost" in capsys.readouterr().out
    nursery.close()
    assert len(nursery) == 0


def test_larvae_are_not_more_than_the_machine_can_hold() -> None:
    nursery = Nursery(BrainSettings(), most=1)
    nursery.answer(Request("s", "g_0", 0))
    with pytest.raises(messages.ProtocolError, match="at most 1"):
        nursery.answer(Request("s", "g_1", 0))
    nursery.answer(Request("s", "g_0", 1))
    nursery.close()


# -- clients that misbehave -------------------------------------------------------------------------------


def test_steps_that_are_repeated_skipped_or_past(server: BrainServer) -> None:
    for step in range(3):
        last = asked(server, "s", "g_0", step)
    assert asked(server, "s", "g_0", 2) == last  # the reply was lost on the way: nothing is run again
    assert asked(server, "s", "g_0", 6)["skipped"] == 3
    past = asked(server, "s", "g_0", 4)
    assert "expected one after 6, got 4" in past["error"]
    assert past["MBONp"] == past["MBONn"]
    assert "error" not in asked(server, "s", "g_0", 7)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"T": 62}, "62"),  # larvaworld at dt = 1/16 s
        ({"odors_um": {f"odor {k}": 1.0 for k in range(3)}}, "at most 2 without a pattern"),
        ({"concentration_mmol": 1.0}, "OSN"),
        ({"reward": "much"}, "reward"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    server: BrainServer, kwargs: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    reply = asked(server, "s", "g_0", 0, **kwargs)
    assert words in reply["error"]
    assert (reply["MBONp"], reply["MBONn"], reply["args"]) == (0.0, 0.0, ["s", "g_0", 0])
    assert words in capfd.readouterr().err
    assert "error" not in asked(server, "s", "g_0", 0)


def test_odors_and_interval_stay_as_they_were(server: BrainServer) -> None:
    asked(server, "s", "g_0", 0, odors_um={"CS": 1.0})
    assert "T: expected 100" in asked(server, "s", "g_0", 1, odors_um={"CS": 1.0}, T=50)["error"]
    assert "odors_um" in asked(server, "s", "g_0", 1, odors_um={"UCS": 1.0})["error"]
    assert "odors_um" in asked(server, "s", "g_0", 1)["error"]
    assert "error" not in asked(server, "s", "g_0", 1, odors_um={"CS": 1.0})


def test_garbage_silence_and_clients_that_leave_cost_their_connection_only(
    server: BrainServer, capfd: pytest.CaptureFixture[str]
) -> None:
    silent, cut, garbage, mute = (connected(server) for _ in range(4))
    cut.sendall(struct.pack("!i", 100) + b"[")
    cut.close()
    garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert garbage.recv(100) == b""  # the size of a frame that could not be: closed
    mute.sendall(messages.frame(messages.message("s", "g_9", 0)))
    mute.close()  # before the reply
    assert "error" not in asked(server, "s", "g_0", 0)
    assert silent.recv(100) == b""  # after the silence of a second
    silent.close()
    garbage.close()
    with connected(server) as client:  # not JSON, but a whole frame: answered, and the connection goes on
        client.sendall(struct.pack("!i", 8) + b"nope")
        assert "expected JSON" in reply_of(client)["error"]
        client.sendall(messages.frame(messages.message("s", "g_0", 1)))
        assert "error" not in reply_of(client)
    said = capfd.readouterr().err
    for words in ("silent for 1 s", "ended after 1 of 96 bytes", "expected a payload of 1"):
        assert words in said


def test_two_clients_at_once_do_not_disturb_each_other(server: BrainServer) -> None:
    alone = [reply["MBONp_hz"] for reply in course(server, "alone", "g_0", 20)]
    found: dict[str, list[float]] = {}

    def client(sim_id: str) -> None:
        found[sim_id] = [reply["MBONp_hz"] for reply in course(server, sim_id, "g_0", 20)]

    threads = [threading.Thread(target=client, args=(f"sim_{k}",)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone[-1] > 1.0
    assert list(found.values()) == [alone] * 3


def test_who_has_asked_already_is_answered_before_the_server_ends() -> None:
    server = BrainServer(BrainSettings(), port=0)  # accepts nobody yet
    with connected(server) as client:
        client.sendall(messages.frame(messages.message("s", "g_0", 0)))
        closing = threading.Thread(target=server.server_close)
        closing.start()
        assert "error" not in reply_of(client)
    closing.join()
    with pytest.raises(ConnectionRefusedError):
        connected(server)


def test_an_address_that_is_taken(server: BrainServer) -> None:
    with pytest.raises(ScenarioError, match=f"cannot listen on 127.0.0.1:{server.port}.*--port"):
        BrainServer(BrainSettings(), port=server.port)


# -- recordings -------------------------------------------------------------------------------------------


def test_every_exchange_can_be_recorded(tmp_path: Any) -> None:
    nursery = Nursery(BrainSettings(record=tmp_path / "served"))
    replies = [
        nursery.answer(Request("../sim", "g_0", k, odors_um={"A": 0.1 * k, "B": 1.0}, reward=1.0))
        for k in range(8)
    ]
    nursery.answer(Request("../sim", "g_0", 0, odors_um={"A": 3.0, "B": 1.0}))  # begun anew
    nursery.close()
    folders = sorted(path.parent.relative_to(tmp_path) for path in tmp_path.rglob("run.json"))
    assert [str(folder) for folder in folders] == ["served/---sim/g_0", "served/---sim/g_0_2"]
    recording = open_recording(tmp_path / folders[0])
    assert (recording.status, recording.n_steps) == ("complete", 8)
    observation = recording.variable("observation").values[:, 0]
    np.testing.assert_allclose(observation[:, 0], 0.1 * np.arange(8), atol=1e-6)
    np.testing.assert_array_equal(observation[:, 2], np.ones(8))
    preference = recording.variable("preference").values[:, 0]
    assert preference.tolist() == pytest.approx([reply["preference"] for reply in replies])
    assert recording.n_spikes > 10
    assert recording.weights("KC>MBONn").shape[-1] == 72
