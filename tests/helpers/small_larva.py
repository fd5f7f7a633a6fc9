"""A made-up larval brain in the layout of Winding's tables, small enough for tests."""

from __future__ import annotations

import numpy as np

from ethospike.brains.circuits.connectome import Connectome
from ethospike.brains.network import DataSource

N_CELLS = 30
"""Kenyon cells a side."""
SOURCE = DataSource("a made-up larva", "1", "public domain", "made by a test")


def _rows():
    """Yield class, subclass, name and side of each neuron."""
    for side, word in (("L", "left"), ("R", "right")):
        for number in range(21):
            yield "sens", "ORN", f"{number + 1}a ORN {word}", side
            yield "uPN", "", f"{number + 1}a PN {word}", side
        for number in range(4):
            yield "bLN", "Trio", f"broad T{number} {word}", side
        for _ in range(N_CELLS):
            yield "KC", "3claw", "KC", side
        yield "APL", "", f"MBE12 {word}", side
        for number in range(3):
            yield "MBON", "app", f"MBE6{'abc'[number]} {word}", side
            yield "MBON", "av", f"MBE5{'abc'[number]} {word}", side
        yield "MBON", "neith", f"MBE30 {word}", side
        yield "MBIN", "DAN", f"MBE1b {word}", side
        yield "MBIN", "DAN", f"MBE4a {word}", side
        yield "MBIN", "OAN", f"MBE9a {word}", side
        yield "LHN", "", f"LHN {word}", side
        yield "dVNC", "", f"descending {word}", side


def small_larva(seed=1):
    """Return the brain with the labels of `read_winding`."""
    rng = np.random.default_rng(seed)
    columns = list(zip(*_rows(), strict=True))
    labels = dict(zip(("class", "subclass", "name", "side"), map(np.array, columns), strict=True))
    n = len(labels["class"])
    labels |= {"id": np.arange(100, 100 + n).astype(str), "pair": np.array([""] * n)}
    counts = np.zeros((n, n), dtype=np.int64)
    kind, sub, name, side = (labels[key] for key in ("class", "subclass", "name", "side"))

    def connect(pre, post, low, high, share=1.0):
        block = rng.integers(low, high + 1, (pre.sum(), post.sum()))
        counts[np.ix_(pre, post)] = block * (rng.random(block.shape) < share)

    for mine in ("L", "R"):
        here = side == mine
        orn, pn = np.flatnonzero(here & (sub == "ORN")), np.flatnonzero(here & (kind == "uPN"))
        counts[orn, pn] = rng.integers(20, 40, 21)
        connect(here & (sub == "ORN"), here & (kind == "bLN"), 1, 5)
        connect(here & (kind == "bLN"), here & (kind == "uPN"), 1, 9)
        connect(here & (kind == "uPN"), here & (kind == "KC"), 1, 9, 0.15)
        connect(here & (kind == "KC"), here & (kind == "APL"), 1, 5)
        connect(here & (kind == "APL"), here & (kind == "KC"), 1, 5)
        for number, output in enumerate(np.flatnonzero(here & (kind == "MBON"))):
            chosen = np.arange(n) == output
            connect(here & (kind == "KC"), chosen, 1, 4 + 3 * number, 0.7)
        dans = here & (sub == "DAN")
        connect(here & (kind == "KC"), dans, 1, 5, 0.6)
        connect(dans, here & (kind == "KC"), 1, 7, 0.5)
        reward, punishment = (here & np.char.startswith(name, f"MBE{d}") for d in ("1b", "4a"))
        connect(reward, here & (sub == "av"), 3, 9)
        connect(punishment, here & (sub == "app"), 3, 9)
        connect(here & (sub == "neith"), here & (kind == "LHN"), 1, 3)
        connect(here & (kind == "uPN"), here & (kind == "LHN"), 1, 3)
        connect(here & (kind == "LHN"), here & (kind == "dVNC"), 1, 3)
    counts[np.flatnonzero(kind == "KC")[:2], np.flatnonzero(kind == "KC")[:2]] = 2  # autapses
    pre, post = np.nonzero(counts)
    return Connectome(labels, pre, post, counts[pre, post].astype(np.int32), SOURCE)


def write_winding(connectome, folder):
    """Write a connectome as `neurons.csv` and `edges.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("id", "name", "side", "class", "subclass", "pair")
    head = "id,name,hemisphere,class1,class2,pair,simple_group\n"
    rows = zip(*(connectome.labels[key].tolist() for key in names), strict=True)
    (folder / "neurons.csv").write_text(head + "".join(",".join(row) + ",x\n" for row in rows))
    ids = connectome.labels["id"]
    edges = zip(connectome.pre, connectome.post, connectome.synapses, strict=True)
    (folder / "edges.csv").write_text(
        "pre,post,synapses\n" + "".join(f"{ids[a]},{ids[b]},{n}\n" for a, b, n in edges)
    )
    return folder


def scrambled_eichler(connectome, side="L", seed=2):
    """Return the mushroom body of a side as Eichler's files have it: no names, other Kenyon cells a block."""
    rng = np.random.default_rng(seed)
    kind = connectome.labels["class"]
    here = (connectome.labels["side"] == side) & np.isin(kind, ("KC", "uPN", "MBON", "MBIN"))
    rows = rng.permutation(np.flatnonzero(here))
    classes = np.array([{"uPN": "PN"}.get(name, name) for name in kind[rows].tolist()])
    whole = np.zeros((connectome.n_neurons,) * 2, dtype=np.int64)
    whole[connectome.pre, connectome.post] = connectome.synapses
    counts = whole[np.ix_(rows, rows)]
    cells = np.flatnonzero(classes == "KC")
    for other in ("PN", "MBON", "MBIN"):
        mine = np.flatnonzero(classes == other)
        for pre, post in ((mine, cells), (cells, mine)):
            block = counts[np.ix_(pre, post)]
            axis = 0 if post is mine else 1
            order = np.argsort(-block.sum(axis=1 - axis), kind="stable")
            counts[np.ix_(pre, post)] = block[order] if axis == 0 else block[:, order]
    pre, post = np.nonzero(counts)
    labels = {"id": np.array([f"left-{row}" for row in range(len(rows))]), "class": classes}
    return Connectome(labels, pre, post, counts[pre, post].astype(np.int32), SOURCE)
