"""A recorder of the exchange between a server and a larva, in a run folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import Decision
from ethospike.agents.larva import LarvaAgent
from ethospike.envs.odor_arena import OTHER_FEATURES
from ethospike.paths import expanded
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, StepRecord, Variable
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.interop.messages import Request
from ethospike.scenarios.run.folder import RUNNING, RunFolder
from ethospike.scenarios.run.layout import network_layout, variables_layout
from ethospike.scenarios.run.provenance import provenance
from ethospike.scenarios.scenario import whole_steps

NAME = "serve-brain"
"""Entry of run.json in place of a scenario."""
WEIGHTS_EVERY = 10
"""Control steps between two recordings of the weights: a second of larvaworld's steps of 100 ms."""


class ExchangeRecorder:
    """The recording of a larva: the requests, its spikes, and the replies.

    Parameters
    ----------
    folder : Path
        Folder for the folders of the larvae of a server, by simulation and larva.
    request : Request
        The first request.
    odors : tuple of str
        Names of the concentrations.
    agent : LarvaAgent
    """

    def __init__(self, folder: Path, request: Request, odors: tuple[str, ...], agent: LarvaAgent) -> None:
        self._run = _new_folder(folder / _as_file(request.sim_id), _as_file(request.model_id))
        self._run.update_info(
            scenario=NAME,
            scenario_file=None,
            seed=agent.seed,
            animals=1,
            simulator=agent.simulator.settings.name,
            backend=agent.backend,
            status=RUNNING,
            sim_id=request.sim_id,
            model_id=request.model_id,
            odors=list(odors),
            **provenance(),
        )
        layout = Layout(
            animals=1,
            dt_ms=agent.dt_ms,
            control_interval_ms=agent.control_interval_ms,
            steps_per_control=whole_steps(agent.control_interval_ms, agent.dt_ms),
            variables={
                "observation": Variable(
                    "1", f"{', '.join(odors)} (µM), {', '.join(OTHER_FEATURES)}", ("feature",), (_n(odors),)
                ),
                "client_step": Variable("1", "control step of the client", dtype="int64"),
                **variables_layout(agent.variables),
            },
            **network_layout(agent.network, agent.simulator),
        )
        # A process for the writer would be one more for each larva.
        weights_every_s = WEIGHTS_EVERY * agent.control_interval_ms / 1000.0
        config = RecorderConfig(writer="inline", weights_every_s=weights_every_s)
        self._recorder = ZarrRecorder(self._run.recording, layout, config)
        self._rows = 0

    def record(
        self,
        client_step: int,
        senses: NDArray[np.float64],
        decision: Decision,
        weights: Callable[[], Mapping[str, NDArray[np.float64]]],
    ) -> None:
        """Record a control step."""
        self._recorder.record(
            StepRecord(
                control_step=self._rows,
                values={
                    "observation": senses.astype(np.float32),
                    "client_step": np.array([client_step]),
                    **decision.readout,
                },
                stimulus=decision.stimulus,
                spikes=decision.spikes,
                weights=weights,
            )
        )
        self._rows += 1

    def close(self) -> None:
        """Close the recording."""
        self._recorder.close()
        self._run.update_info(status="complete")


def _n(odors: tuple[str, ...]) -> int:
    return len(odors) + len(OTHER_FEATURES)


def _as_file(name: str) -> str:
    """Return a valid file name for a name that comes from another program."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:80]


def _new_folder(parent: Path, name: str) -> RunFolder:
    """Make a folder; a simulation that begins anew gets a new folder."""
    parent = expanded(parent)
    number, path = 1, parent / name
    while path.exists():
        number += 1
        path = parent / f"{name}_{number}"
    return RunFolder.create(path)
