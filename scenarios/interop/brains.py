"""Mushroom bodies for larvae that crawl in another program.

Each larva of each simulation has its circuit. It is made at the first request, keeps its state over
connections, and is removed after some time without requests, because the protocol has no final message.
"""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ethospike.agents.agent import Decision
from ethospike.agents.larva import LarvaAgent, LarvaConfig
from ethospike.brains.circuits.mushroom_body import ODOR_PATTERNS, MushroomBodyConfig
from ethospike.brains.simulator import SimulatorSettings
from ethospike.clock import whole_number
from ethospike.envs.odor_arena import INNER_STEP_MS
from ethospike.errors import AgentError, EthospikeError
from ethospike.scenarios.interop.exchange_recorder import ExchangeRecorder
from ethospike.scenarios.interop.messages import ProtocolError, Request

Reply = Literal["gain", "hz"]
CLIENT_GAIN = 0.001
"""Factor by which larvaworld's client turns MBONp − MBONn into an olfactory gain (its default G)."""
DEFAULT_PATTERNS = ("n-amylacetate", "3-octanol")
"""Receptor patterns of a client's odors, in the order of their names: the pair of learning experiments."""
ONE_ODOR = "Odor"
"""Name of the single odor in larvaworld's protocol."""
LEAST_UM = 1e-6
"""Lowest integrated concentration (µM), above 0 so that it can rise again."""


class LarvaError(EthospikeError, ValueError):
    """A request that does not fit its larva."""


@dataclass(frozen=True)
class BrainSettings:
    """Settings that the larvae of a server share.

    Parameters
    ----------
    larva : LarvaConfig
        Encoding and read-out. Patterns are looked up by the client's names of its odors; those that are
        neither listed nor patterns get `DEFAULT_PATTERNS`.
    brain : MushroomBodyConfig
    seed : int
    reply : {"gain", "hz"}
        MBONp and MBONn such that the client's default G makes of them the olfactory gain, or filtered rates.
    start_um : float
        Concentration (µM) at the first step, where a client sends only its changes.
    record : Path or None
        Folder in which each larva gets a recording.
    """

    larva: LarvaConfig = field(default_factory=LarvaConfig)
    brain: MushroomBodyConfig = field(default_factory=MushroomBodyConfig)
    seed: int = 1
    reply: Reply = "gain"
    start_um: float = 1.0
    record: Path | None = None

    def __post_init__(self) -> None:
        if self.reply not in ("gain", "hz"):
            raise AgentError(f"reply: expected gain or hz, got {self.reply!r}")
        if not 0 < self.start_um < float("inf"):
            raise AgentError(f"start_um: expected above 0 µM, got {self.start_um}")

    def seed_of(self, model_id: str) -> int:
        """Return the seed of a larva: by its group and its number, the same in every simulation.

        larvaworld calls larvae GROUP_0, GROUP_1 …; the number of the simulation grows from run to run and is
        left out, so that a run can be repeated.
        """
        match = re.fullmatch(r"(.*?)_?(\d{1,9})", model_id, re.DOTALL)
        group, number = (match[1], int(match[2])) if match else (model_id, 0)
        key = (zlib.crc32(group.encode()), number)
        return int(np.random.SeedSequence(self.seed, spawn_key=key).generate_state(1)[0])


class Larva:
    """The brain of one larva.

    Parameters
    ----------
    settings : BrainSettings
    request : Request
        The first request: it decides the odors, the control interval and the seed.

    Raises
    ------
    LarvaError, AgentError
        When the control interval does not fit, or an odor has no receptor pattern.
    """

    def __init__(self, settings: BrainSettings, request: Request) -> None:
        if whole_number(request.interval_ms, INNER_STEP_MS) is None:
            raise LarvaError(
                f"T: expected a whole number of {INNER_STEP_MS:g} ms, got {request.interval_ms:g}; choose "
                f"dt = 0.1 s in larvaworld"
            )
        self.settings = settings
        self.lock = threading.Lock()
        self.used_s = time.monotonic()
        self.interval_ms = request.interval_ms
        self.odors = tuple(request.odors_um) or (ONE_ODOR,)
        self.first_step = request.step
        self._sends_um = bool(request.odors_um)
        self._um = settings.start_um
        self._highest_um = settings.larva.reference_um * settings.larva.saturation
        self._last: tuple[Request, dict[str, Any]] | None = None
        self._agent = LarvaAgent(
            _with_patterns(settings.larva, self.odors),
            settings.brain,
            self.odors,
            control_interval_ms=request.interval_ms,
            seed=settings.seed_of(request.model_id),
            simulator=SimulatorSettings(threads=1),
        )
        self._recorder: ExchangeRecorder | None = None
        if settings.record is not None:
            try:
                self._recorder = ExchangeRecorder(settings.record, request, self.odors, self._agent)
            except BaseException:
                self._agent.close()
                raise

    def is_begun_anew_by(self, request: Request) -> bool:
        """Return True if a request is the first of another simulation with the same ids."""
        return request.step == 0 and self._last is not None and request != self._last[0]

    def answer(self, request: Request) -> dict[str, Any]:
        """Run a control step and return the entries of the reply; a repeated step is not run again.

        Raises
        ------
        LarvaError
            When the step lies in the past, or odors or control interval differ from those before.
        """
        if self._last is not None and request == self._last[0]:
            return self._last[1]
        self._check(request)
        skipped = 0 if self._last is None else request.step - self._last[0].step - 1
        wall_contact = 0.0
        senses = np.array(
            [[*self._concentrations_um(request), request.reward, request.punishment, wall_contact]]
        )
        decision = self._agent.act(senses)
        reply = self._reply(decision)
        if skipped:
            reply["skipped"] = skipped
        if self._recorder is not None:
            self._recorder.record(request.step, senses, decision, self._agent.weights)
        self._last = request, reply
        return reply

    def _check(self, request: Request) -> None:
        if self._last is not None and request.step <= self._last[0].step:
            raise LarvaError(
                f"step: expected one after {self._last[0].step}, got {request.step}; two simulations with "
                f"the same ids need servers on ports of their own"
            )
        if request.interval_ms != self.interval_ms:
            raise LarvaError(f"T: expected {self.interval_ms:g} ms as before, got {request.interval_ms:g}")
        if tuple(request.odors_um) != (self.odors if self._sends_um else ()):
            raise LarvaError(f"odors_um: expected {self.odors} as before, got {tuple(request.odors_um)}")

    def _concentrations_um(self, request: Request) -> list[float]:
        """Return the concentrations of the odors: as they were sent, or integrated from their changes."""
        if self._sends_um:
            return list(request.odors_um.values())
        self._um = min(max(self._um * (1.0 + request.change), LEAST_UM), self._highest_um)
        return [self._um]

    def _reply(self, decision: Decision) -> dict[str, Any]:
        preference = float(np.ravel(decision.readout["preference"])[0])
        positive_hz, negative_hz = (float(hz) for hz in np.ravel(decision.readout["mbon_rate_hz"]))
        reply = {"MBONp": positive_hz, "MBONn": negative_hz}
        if self.settings.reply == "gain":
            half = self.settings.larva.gain / CLIENT_GAIN / 2.0
            reply = {"MBONp": half * (1.0 + preference), "MBONn": half * (1.0 - preference)}
        return {**reply, "preference": preference, "MBONp_hz": positive_hz, "MBONn_hz": negative_hz}

    def close(self) -> None:
        """Close the simulator and the recording."""
        if self._recorder is not None:
            self._recorder.close()
        self._agent.close()


def _with_patterns(config: LarvaConfig, odors: tuple[str, ...]) -> LarvaConfig:
    """Return a configuration that has a pattern for each of a client's odors."""
    without = [odor for odor in odors if odor not in config.patterns and odor not in ODOR_PATTERNS]
    if len(without) > len(DEFAULT_PATTERNS):
        raise AgentError(
            f"odors: expected at most {len(DEFAULT_PATTERNS)} without a pattern of their own, got "
            f"{', '.join(without)}; name patterns by --larva.patterns.ODOR PATTERN"
        )
    return replace(config, patterns={**config.patterns, **dict(zip(without, DEFAULT_PATTERNS, strict=False))})


class Nursery:
    """The larvae of all simulations that use a server.

    Parameters
    ----------
    settings : BrainSettings
    forget_s : float
        Time without requests after which a larva is removed.
    most : int
        Larvae at a time.
    say : callable(str)
        Called with a line about each larva that begins or is removed.
    """

    def __init__(
        self,
        settings: BrainSettings,
        *,
        forget_s: float = 600.0,
        most: int = 1000,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.settings, self.forget_s, self.most = settings, forget_s, most
        self.made = 0
        self._say = say
        self._lock = threading.Lock()
        self._larvae: dict[tuple[str, str], Larva] = {}

    def __len__(self) -> int:
        return len(self._larvae)

    def answer(self, request: Request) -> dict[str, Any]:
        """Return the entries of the reply to a request.

        Raises
        ------
        AgentError, LarvaError
            When the larva cannot be made, or the request does not fit it.
        ProtocolError
            When there are too many larvae.
        """
        larva = self._larva_of(request)
        with larva.lock:
            return larva.answer(request)

    def _larva_of(self, request: Request) -> Larva:
        """Return the larva of a request, new at step 0: a simulation has begun anew."""
        with self._lock:
            larva = self._larvae.get(request.larva)
            if larva is not None and not larva.is_begun_anew_by(request):
                larva.used_s = time.monotonic()
                return larva
            self._forget(time.monotonic() - self.forget_s)
            if larva is None and len(self._larvae) >= self.most:
                raise ProtocolError(f"larvae: expected at most {self.most} at a time")
            fresh = Larva(self.settings, request)
            self._larvae[request.larva] = fresh
            self.made += 1
        if larva is not None:
            with larva.lock:
                larva.close()
        lost = f" begins at step {request.step}: what it learned before is lost" if request.step else ""
        self._say(f"larva {request.model_id} of {request.sim_id}{lost}")
        return fresh

    def _forget(self, before_s: float) -> None:
        """Close larvae with a last request before a time."""
        for key, larva in [(key, larva) for key, larva in self._larvae.items() if larva.used_s < before_s]:
            with larva.lock:
                larva.close()
            del self._larvae[key]
            self._say(f"larva {key[1]} of {key[0]} was forgotten")

    def close(self) -> None:
        """Close all larvae."""
        with self._lock:
            for larva in self._larvae.values():
                with larva.lock:
                    larva.close()
            self._larvae.clear()
