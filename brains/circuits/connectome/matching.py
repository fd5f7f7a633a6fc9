"""Eichler's counts on Winding's neurons: both are of the same larva, and Eichler's files have no names.

In the files of graspologic, Kenyon cells are sorted anew in each block of the matrix, by their number of
synapses in it: a row of the block from Kenyon cells to output neurons and a column of the block from
projection neurons are different cells in the same place. So the matrix as a whole is the graph of no animal,
while each block agrees with Winding's counts to a few per cent once its cells are found.

Projection, output and entering neurons are found by their sorted numbers of synapses with the Kenyon cells of
the side, Kenyon cells then in each block by their synapses with these. Each step is the assignment with the
smallest sum of differences.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.errors import BrainError

_Ints = NDArray[np.int64]

SAME = 0.3
"""Largest difference of a match, as a share of a neuron's synapses. Chosen here: of output neurons, matches
differ by 0 to 15 %, in the median by 2 %, and second candidates in the median by 25 %."""
_ROLES = {
    "MBON": ("MBONp", "MBONn", "MBONo"),
    "MBIN": ("DANp", "DANn", "MBIN"),
}
"""Roles of Winding's neurons that a class of Eichler's files may be; projection neurons may be all others."""
BLOCKS = (("PN", "KC"), ("KC", "MBON"), ("KC", "MBIN"), ("MBIN", "KC"))
"""Blocks that are taken from Eichler's files. Between Kenyon cells there are two unknown orders; those and
all others stay Winding's."""


def eichler_on_winding(files: Connectome, named: Connectome, side: str) -> Connectome:
    """Return Winding's brain with the counts of Eichler's files in the mushroom body of a side.

    Parameters
    ----------
    files : Connectome
        Of `read_eichler`.
    named : Connectome
        Of `with_roles(read_winding(…))`.
    side : {"left", "right"}

    Raises
    ------
    BrainError
        When most output neurons have no match: the files are of different animals.
    """
    there, here = _counts(files), _counts(named)
    classes, roles = files.label("class"), named.label("role")
    cells = np.flatnonzero(classes == "KC")
    named_cells = np.flatnonzero((roles == "KC") & (named.label("side") == side[0].upper()))
    matched = {
        kind: _extrinsic(there, here, cells, named_cells, _members(classes, roles, kind))
        for kind in ("PN", "MBON", "MBIN")
    }
    if (share := np.mean(matched["MBON"][1] >= 0)) < 0.5:
        raise BrainError(
            f"{files.source.name}: {share:.0%} of the output neurons are found in {named.source.name}; "
            f"expected most, as both are of one animal"
        )
    counts, steps = here.copy(), []
    for pre, post in BLOCKS:
        kind = post if pre == "KC" else pre
        mine, theirs = (part[matched[kind][1] >= 0] for part in matched[kind])
        block = there[np.ix_(cells, mine)] if pre == "KC" else there[np.ix_(mine, cells)].T
        like = here[np.ix_(named_cells, theirs)] if pre == "KC" else here[np.ix_(theirs, named_cells)].T
        first, second, differ = _assigned(block, like)
        same = differ <= SAME
        placed = np.zeros_like(like)
        placed[second[same]] = block[first[same]]
        if pre == "KC":
            counts[np.ix_(named_cells, theirs)] = placed
        else:
            counts[np.ix_(theirs, named_cells)] = placed.T
        whole = block.sum() + _left_out(there, cells, matched[kind], outwards=pre == "KC")
        steps.append(
            f"{pre}>{post} of Eichler et al. 2017: {placed.sum() / whole:.1%} of {whole:,} synapses, of "
            f"{int(same.sum())} of {len(cells)} Kenyon cells; median difference from Winding et al. 2023 "
            f"{np.median(differ[same]):.1%}"
        )
    pre_rows, post_rows = np.nonzero(counts)
    source = replace(
        files.source, files={**files.source.files, **named.source.files}, steps=named.source.steps
    )
    return replace(
        named,
        pre=pre_rows,
        post=post_rows,
        synapses=counts[pre_rows, post_rows].astype(np.int32),
        source=source.after("names, sides, receptor and local neurons of Winding et al. 2023", *steps),
    )


def _members(classes: NDArray[Any], roles: NDArray[Any], kind: str) -> tuple[_Ints, _Ints]:
    """Return the neurons of a class, and those of the other connectome that they may be."""
    if kind in _ROLES:
        return np.flatnonzero(classes == kind), np.flatnonzero(np.isin(roles, _ROLES[kind]))
    not_projecting = (*_ROLES["MBON"], *_ROLES["MBIN"], "KC", "APL")
    return np.flatnonzero(classes == kind), np.flatnonzero(~np.isin(roles, not_projecting))


def _extrinsic(
    there: _Ints, here: _Ints, cells: _Ints, named_cells: _Ints, members: tuple[_Ints, _Ints]
) -> tuple[_Ints, _Ints]:
    """Return neurons of a class, and their rows in the named connectome, −1 for those without a match."""
    mine, candidates = members
    length = max(len(cells), len(named_cells))
    reach = here[np.ix_(candidates, named_cells)].sum(axis=1) + here[np.ix_(named_cells, candidates)].sum(
        axis=0
    )
    candidates = candidates[reach > 0]
    to_cells, from_cells = there[np.ix_(mine, cells)].any(), there[np.ix_(cells, mine)].any()
    wanted = (bool(to_cells), bool(from_cells))
    first, second, differ = _assigned(
        _sorted_with(there, mine, cells, length, wanted),
        _sorted_with(here, candidates, named_cells, length, wanted),
    )
    rows = np.full(len(mine), -1, dtype=np.int64)
    same = differ <= SAME
    rows[first[same]] = candidates[second[same]]
    return mine, rows


def _assigned(mine: NDArray[Any], theirs: NDArray[Any]) -> tuple[_Ints, _Ints, NDArray[np.float64]]:
    """Return rows that belong together, and the share of each row's sum by which they differ."""
    from scipy.optimize import linear_sum_assignment

    apart = np.abs(mine[:, None, :] - theirs[None, :, :]).sum(axis=2)
    first, second = linear_sum_assignment(apart)
    return first, second, apart[first, second] / np.maximum(mine[first].sum(axis=1), 1)


def _left_out(there: _Ints, cells: _Ints, matched: tuple[_Ints, _Ints], *, outwards: bool) -> int:
    """Return the synapses of a block with neurons without a match."""
    lost = matched[0][matched[1] < 0]
    return int(there[np.ix_(cells, lost)].sum() if outwards else there[np.ix_(lost, cells)].sum())


def _counts(connectome: Connectome) -> _Ints:
    """Return the matrix of synapses, rows are pre."""
    counts = np.zeros((connectome.n_neurons,) * 2, dtype=np.int64)
    counts[connectome.pre, connectome.post] = connectome.synapses
    return counts


def _sorted_with(
    counts: _Ints, neurons: _Ints, cells: _Ints, length: int, wanted: tuple[bool, bool]
) -> _Ints:
    """Return synapses onto and from cells in descending order, padded by zeros: the cells' order is lost."""
    parts = [counts[np.ix_(neurons, cells)], counts[np.ix_(cells, neurons)].T]
    padded = [
        np.pad(np.sort(part, axis=1)[:, ::-1], ((0, 0), (0, length - len(cells))))
        for part, is_wanted in zip(parts, wanted, strict=True)
        if is_wanted
    ]
    return np.concatenate(padded, axis=1)
