"""Synapses that GeNN draws, in its own memory: for networks too large for NumPy's wiring.

The synapses follow from a key alone and are the same on every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ethospike.brains.genn import models as genn_models
from ethospike.brains.genn.library import pygenn
from ethospike.brains.genn.models import literal
from ethospike.brains.network import (
    NUMPY_WIRING_LIMIT,
    AllToAll,
    ClusteredIndegree,
    ClusteredWeight,
    Distribution,
    FixedIndegree,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    RandomIndegree,
)
from ethospike.errors import BrainError

MAX_SYNAPSES = 2**32
"""GeNN's initialization counts the places of a projection's synapses with 32 bits."""


# From a 64-bit congruential generator for each target, whose upper half is used; so the connections follow
# from the key alone and are the same on every backend. GeNN's language knows no 64-bit literal and no shift
# to the right (its scanner reads `><` for it); the compiler makes shifts of the divisions.


_STREAM = f"""
const uint64_t half = (uint64_t)65536 * (uint64_t)65536;
const uint64_t multiplier = {literal(0xD1342543DE82EF95)};  // Steele & Vigna 2022, Softw. Pract. Exp. 52:443
const uint64_t increment = {literal(0x14057B7EF767814F)};  // any odd number
uint64_t random = (key[0] + {{stream}}) * multiplier;
random = (random ^ (random / (half / 2))) * {literal(0xBF58476D1CE4E5B9)};  // Steele et al. 2014: SplitMix64
random = (random ^ (random / (half / 8))) * multiplier + increment;
"""
_RANDOM = _STREAM.format(stream="id_post")
_NEXT = "random = random * multiplier + increment;"

# Above 2^32 in single precision there is no gap: the row ends before.
_GAP = "(unsigned int)fmin(log(((scalar)(random / half) + 1.0) / 4294967296.0) * per_log, 2147483648.0)"

DISTINCT = pygenn.create_sparse_connect_init_snippet(
    "distinct",
    params=[(name, "unsigned int") for name in ("low", "high", "cluster_size", "recurrent")],
    extra_global_params=[("key", "uint64_t*")],
    # Selection sampling: Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
    col_build_code=f"""
    {_RANDOM}
    const uint64_t spread = high - low + 1;
    for (unsigned int begin = 0; begin < num_pre; begin += cluster_size) {{
        {_NEXT}
        uint64_t needed = low + (random / half * spread) / half;
        uint64_t left = cluster_size;
        if (recurrent && id_post >= begin && id_post - begin < cluster_size) {{
            left -= 1;
        }}
        for (unsigned int id_pre = begin; needed > 0; id_pre++) {{
            if (!(recurrent && id_pre == id_post)) {{
                {_NEXT}
                if ((random / half * left) / half < needed) {{
                    addSynapse(id_pre);
                    needed -= 1;
                }}
                left -= 1;
            }}
        }}
    }}
    """,
    calc_max_row_len_func=lambda num_pre, num_post, pars: 1,  # the simulator sets it
)
"""Distinct sources in each cluster, `low` to `high` of them; `cluster_size` may be the whole population."""

BERNOULLI = pygenn.create_sparse_connect_init_snippet(
    "bernoulli",
    params=[("p", "double"), ("recurrent", "unsigned int")],
    extra_global_params=[("key", "uint64_t*")],
    col_build_code=f"""
    {_RANDOM}
    for (unsigned int id_pre = 0; id_pre < num_pre; id_pre++) {{
        {_NEXT}
        if (!(recurrent && id_pre == id_post) && (double)(random / half) < p * 4294967296.0) {{
            addSynapse(id_pre);
        }}
    }}
    """,
    calc_max_row_len_func=lambda num_pre, num_post, pars: 1,  # the simulator sets it
)
"""Each pair with probability `p`."""


PROCEDURAL = pygenn.create_sparse_connect_init_snippet(
    "procedural",
    params=[("p", "scalar"), ("targets", "unsigned int"), ("recurrent", "unsigned int")],
    extra_global_params=[("key", "uint64_t*")],
    # Each thread makes its part of the row, from a stream of its own. GeNN's own parts (`id_post_begin`,
    # `num_post`) reach beyond the last target where the threads are many. Gaps between the targets of a row
    # of independent draws are geometric (Knuth, The Art of Computer Programming 2, 3.4.1, F).
    row_build_code=f"""
    {_STREAM.format(stream="id_pre * num_threads + id_thread")}
    const scalar per_log = 1.0 / log(1.0 - p);
    const unsigned int part = (targets + num_threads - 1) / num_threads;
    const unsigned int begin = id_thread * part;
    const unsigned int end = (begin + part < targets) ? (begin + part) : targets;
    {_NEXT}
    unsigned int place = begin + {_GAP};
    while (place < end) {{
        if (!(recurrent && place == id_pre)) {{
            addSynapse(place);
        }}
        {_NEXT}
        place += 1 + {_GAP};
    }}
    """,
    calc_max_row_len_func=lambda num_pre, num_post, pars: 1,  # nothing is stored
)
"""Each pair with probability `p`, made anew whenever the source fires."""
SYNAPSES_A_THREAD = 256
"""Synapses of a spike that one thread of a GPU makes, about: few enough that a step's spikes, some 20 in the
published network of 25,500 neurons, occupy thousands of threads."""
LEAST_THREADS, MOST_THREADS = 8, 256
"""Threads for a spike: GeNN starts as many for each neuron in each step, whether it fires or not."""


class TwoWeights(NamedTuple):
    """GeNN's weight update of a projection, and the input of the target that it adds to."""

    update: Any
    receptor: str
    dynamic: tuple[str, ...]
    """Names of parameters that are set when the model is loaded, so that a value compiles nothing."""


def both(projection: Projection) -> tuple[float, float]:
    """Return the weights within and across clusters of a projection that GeNN draws.

    Raises
    ------
    BrainError
        When synapses have weights of their own, or one of the two excites and the other inhibits.
    """
    weight, where = projection.weight, f"Projection {projection.name!r}"
    if isinstance(weight, ClusteredWeight):
        within, across = weight.within, weight.across
    elif isinstance(weight, Distribution) or np.ndim(weight):
        raise BrainError(
            f"{where}.weight: GeNN draws the synapses of a network of over {NUMPY_WIRING_LIMIT:,}, and there "
            f"gives them one weight; give a number or a ClusteredWeight, or use Numba or NEST"
        )
    else:
        within = across = float(weight)
    if within * across < 0:
        raise BrainError(
            f"{where}.weight: expected one sign in a network of over {NUMPY_WIRING_LIMIT:,} synapses, got "
            f"{within} within and {across} across clusters; use two projections"
        )
    return within, across


def two_weights(
    projection: Projection, weights: Sequence[tuple[float, float]], source: Population, target: Population
) -> TwoWeights:
    """Return the weights within and across clusters of a projection that GeNN draws, one pair a batch."""
    is_clustered = isinstance(projection.weight, ClusteredWeight)
    sizes = (source.cluster_size, target.cluster_size) if is_clustered else (source.size, target.size)
    params: dict[str, float] = dict(zip(("source_size", "target_size"), sizes, strict=True))
    values, signs = dict(zip(("within", "across"), np.array(weights).T, strict=True)), np.sign(weights)
    if signs.max() - signs.min() > 1:
        raise BrainError(
            f"Projection {projection.name!r}.weight: the parameter sets of a batch differ in the sign of "
            f"weights, which chooses the receptor; run them one after the other"
        )
    post_vars = {}
    if by_set := len(set(weights)) > 1:
        post_vars = {name: np.repeat(given[:, None], target.size, axis=1) for name, given in values.items()}
    else:
        params |= {name: given[0] for name, given in values.items()}
    return TwoWeights(
        pygenn.init_weight_update(genn_models.CLUSTERED[by_set], params, post_vars=post_vars),
        "in_ex" if signs.min() >= 0 else "in_in",
        tuple(params),
    )


def one_delay(projection: Projection, delay_steps: Callable[[str, float], int]) -> int:
    """Return the delay in steps of a projection that GeNN draws, or raise unless there is one."""
    if isinstance(projection.delay_ms, Distribution) or np.ndim(projection.delay_ms):
        raise BrainError(
            f"Projection {projection.name!r}.delay_ms: GeNN draws the synapses of a network of over "
            f"{NUMPY_WIRING_LIMIT:,}, and there gives them one delay; give a number, or use Numba or NEST"
        )
    return delay_steps(projection.name, float(projection.delay_ms))


def set_key(group: Any, key: int) -> None:
    """Give the connections of a group their key: by this road, because a parameter would be compiled."""
    globals_ = group.connectivity_extra_global_params
    if "key" in globals_:
        globals_["key"].set_init_values(np.array([key], np.uint64))
        # PyGeNN 5.4 looks for the array without the suffix that GeNN has given it.
        globals_["keySparseConnect"] = globals_.pop("key")


def connectivity(projection: Projection, source: Population, target: Population) -> tuple[Any, int]:
    """Return GeNN's snippet that draws the synapses of a rule, and the length of the longest row."""
    where = f"Projection {projection.name!r}"
    recurrent = int(source.name == target.name)
    cluster_size = source.size
    if projection.rule.may_repeat_pairs:
        raise BrainError(f"{where}: GeNN cannot draw multapses, got {projection.rule}")
    match projection.rule:
        case OneToOne():
            return pygenn.init_sparse_connectivity("OneToOne"), 1
        case AllToAll():
            low, high, p = None, None, 1.0
        case PairwiseBernoulli(p):
            low, high = None, None
        case FixedIndegree(k):
            low, high = k, k
        case RandomIndegree(low, high):
            pass
        case ClusteredIndegree(k):
            low, high, cluster_size = k, k, source.cluster_size
        case _:
            raise BrainError(f"{where}: GeNN cannot draw the rule {projection.rule}")
    if low is None or high is None:
        snippet, params = BERNOULLI, {"p": p}
    else:
        p = (low + high) / 2 / (cluster_size - recurrent)
        snippet, params = DISTINCT, {"low": low, "high": high, "cluster_size": cluster_size}
    longest_row = _longest_row(p, source, target)
    if source.size * longest_row >= MAX_SYNAPSES:
        raise BrainError(
            f"{where}: GeNN has room for {MAX_SYNAPSES} synapses of a projection, this one needs "
            f"{source.size * longest_row}"
        )
    return pygenn.init_sparse_connectivity(snippet, params | {"recurrent": recurrent}), longest_row


def procedural(projection: Projection, source: Population, target: Population) -> tuple[Any, int]:
    """Return GeNN's snippet that makes a row when its source fires, and the number of threads that share it.

    Both follow from the network alone, so that a seed gives the same synapses on every device.
    """
    if not isinstance(projection.rule, PairwiseBernoulli):
        raise BrainError(
            f"Projection {projection.name!r}: procedural synapses of GeNN follow PairwiseBernoulli, got "
            f"{projection.rule}"
        )
    # At 1 every pair is connected, and the gaps are 0 as they should be, but their logarithm is not finite.
    p = min(projection.rule.p, 1.0 - 2.0**-24)
    threads = 2 ** round(np.log2(max(1.0, target.size * p / SYNAPSES_A_THREAD)))
    recurrent = int(source.name == target.name)
    return (
        pygenn.init_sparse_connectivity(PROCEDURAL, {"p": p, "targets": target.size, "recurrent": recurrent}),
        int(np.clip(threads, LEAST_THREADS, MOST_THREADS)),
    )


def _longest_row(p: float, source: Population, target: Population) -> int:
    """Return a length that no row exceeds, but for one network in a billion (Bernstein's inequality)."""
    log_odds = np.log(1e9 * source.size)
    spread = np.sqrt(2 * target.size * p * (1 - p) * log_odds) + log_odds / 3
    return min(target.size, int(np.ceil(target.size * p + spread)))
