"""Memory of the device that GeNN runs on: free bytes, the need of a model, and the refusal of larger ones."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np

from ethospike.brains.genn.library import pygenn
from ethospike.brains.memory import TooLarge, free_bytes

_GB = 1e9
RESERVE = 0.95
"""Share of the free memory that a model may take: the compiled code and the driver's own tables need some."""


def check_device_memory(model: Any, backend: str, recording_steps: int) -> None:
    """Raise `TooLarge` if a model needs more memory than its device has free; nothing is built before.

    Parameters
    ----------
    model : pygenn.GeNNModel
        With all its groups, before it is built.
    backend : str
        `cuda`, `hip` or `cpu`.
    recording_steps : int
        Length of the record of spikes.
    """
    needed, free = model_bytes(model, recording_steps), device_free_bytes(backend)
    if needed <= RESERVE * free:
        return
    sets = int(model.batch_size)
    fit = int(sets * RESERVE * free / needed)
    whole = "the network" if sets == 1 else f"{sets} parameter sets of the network"
    remedy = "make it smaller" if sets == 1 else f"{fit} fit"
    where = "memory" if backend == "cpu" else "memory of the device"
    raise TooLarge(
        f"genn: {whole} would take about {needed / _GB:.3g} GB of {where}, and {free / _GB:.3g} GB are free; "
        f"{remedy}, or use synapses that are not stored (procedural=True), or another simulator",
        fit,
    )


def device_free_bytes(backend: str) -> float:
    """Return the free memory of the first device of a backend; infinite where it is not known."""
    if backend == "cpu":
        return free_bytes()
    free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
    try:
        failed = (_cuda_memory if backend == "cuda" else _hip_memory)(ctypes.byref(free), ctypes.byref(total))
    except (OSError, AttributeError):
        return float("inf")
    return float("inf") if failed else float(free.value)


def _cuda_memory(free: Any, total: Any) -> int:
    """Ask the driver, in the context that GeNN's own calls will use; return its error code."""
    driver, context, device = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_int()
    failed: int = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
    failed = failed or driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    if failed:
        return failed
    try:
        failed = driver.cuCtxPushCurrent_v2(context) or driver.cuMemGetInfo_v2(free, total)
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)
    return failed


def _hip_memory(free: Any, total: Any) -> int:
    failed: int = ctypes.CDLL("libamdhip64.so").hipMemGetInfo(free, total)
    return failed


def model_bytes(model: Any, recording_steps: int) -> float:
    """Return the memory that a model's arrays take on its device.

    Counted are variables, spikes and their record, and the rows of stored synapses, which dominate in large
    networks. A GPU's runtime adds some hundred megabytes of its own, which are not free before.
    """
    sets, total = int(model.batch_size), 0.0
    scalar = _itemsize(model, model.precision)
    for group in model.neuron_populations.values():
        total += _variable_bytes(model, group.model.get_vars(), group.num_neurons) * group._num_delay_slots
        # Numbers of neurons that fire, in each slot of a delay, and a bit of the record for each step.
        total += sets * group.num_neurons * (4.0 * group._num_delay_slots + recording_steps / 8.0)
    for source in model.current_sources.values():
        total += _variable_bytes(model, source.model.get_vars(), source.target_pop.num_neurons)
    for group in model.synapse_populations.values():
        snippet = group.wu_initialiser.snippet
        total += sets * group.trg.num_neurons * scalar * (1 + group.max_dendritic_delay_timesteps)
        total += _variable_bytes(model, snippet.get_post_vars(), group.trg.num_neurons)
        if group.matrix_type & pygenn.SynapseMatrixConnectivity.SPARSE:
            places = group.src.num_neurons * group.max_connections
            total += 4.0 * group.src.num_neurons + places * _itemsize(model, group._sparse_ind_type)
            total += _variable_bytes(model, snippet.get_vars(), places)
    return total


def _variable_bytes(model: Any, variables: Iterable[Any], elements: int) -> float:
    """Return the bytes of variables that have a value for each of so many neurons or synapses."""
    context = {"scalar": model.precision, "timepoint": model.time_precision}
    total = 0.0
    for variable in variables:
        dims = pygenn.get_var_access_dim(variable.access)
        n = elements if dims & pygenn.VarAccessDim.ELEMENT else 1
        copies = int(model.batch_size) if dims & pygenn.VarAccessDim.BATCH else 1
        total += float(n) * copies * _itemsize(model, variable.type.resolve(context))
    return total


def _itemsize(model: Any, resolved: Any) -> int:
    return int(np.dtype(model.genn_types[resolved]).itemsize)
