"""The NEST kernel of this process: loaded without its banner, refused after a fork; its fast functions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.simulator import SIMULATORS
from ethospike.errors import SimulatorNotInstalled, SimulatorUnavailable


def _import_nest() -> Any:
    """Import NEST without its banner, which would spoil the output of a program."""
    before = os.environ.get("PYNEST_QUIET")
    os.environ["PYNEST_QUIET"] = "1"
    try:
        import nest
    except ImportError as error:
        remedy = SIMULATORS["nest"].remedy
        raise SimulatorNotInstalled(f"NEST cannot be imported ({error}); {remedy}") from error
    finally:
        if before is None:
            del os.environ["PYNEST_QUIET"]
        else:
            os.environ["PYNEST_QUIET"] = before
    return nest


nest = _import_nest()
_kernel = nest.ll_api.nestkernel
"""For the last functions of this file only; they say why."""

PROCESS = os.getpid()
"""The process that loaded NEST."""


def check_not_forked() -> None:
    """Raise in a process that was forked after NEST was loaded: it hangs without NEST's threads."""
    if os.getpid() != PROCESS:
        raise SimulatorUnavailable(
            "NEST was loaded before this process was forked, and would hang in it; start processes by "
            "multiprocessing.get_context('spawn'), or load NEST in the new process only"
        )


# -- the kernel's own functions -----------------------------------------------------------------------
#
# The public ones (`NodeCollection.set`, `SynapseCollection.set`) look up what they are given, and the status
# of the kernel, before they act: arming the larva's generators takes them 0.13 instead of 0.015 ms, in each
# control step. These go past them; nothing else in the project does.


def set_nodes(nodes: Any, params: list[dict[str, Any]]) -> None:
    """Set parameters of the nodes of a collection, one dictionary a node."""
    _kernel.llapi_set_nc_status(nodes._datum, params)


def get_status(nodes: Any, key: str) -> Any:
    """Return an entry of the status of the nodes of a collection."""
    return _kernel.llapi_get_nc_status(nodes._datum, key)


def take_events(recorder: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return step and node of the spikes in a recorder, and empty it."""
    events = _kernel.llapi_get_nc_status(recorder._datum, "events")
    _kernel.llapi_set_nc_status(recorder._datum, [{"n_events": 0}])
    if not len(events["times"]):  # then NEST gives arrays of floats
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return events["times"], events["senders"]


def get_weights(synapses: list[Any]) -> NDArray[np.float64]:
    """Return the weights of synapses, given as the handles of a `SynapseCollection`."""
    if not synapses:
        return np.empty(0)
    return np.array([status["weight"] for status in _kernel.llapi_get_connection_status(synapses)])


def set_synapses(synapses: list[Any], weight: NDArray[np.float64]) -> None:
    """Set the weights of synapses, given as the handles of a `SynapseCollection`."""
    params = [{"weight": value} for value in weight.tolist()]
    _kernel.llapi_set_connection_status(synapses, params)
