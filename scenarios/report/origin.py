"""The origin of a run or a sweep in its page: status, seed, versions, machine, and the proofs of its arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ethospike.scenarios.report.measures import ARMS
from ethospike.scenarios.report.page.html import Markup, element, facts, joined, number, section
from ethospike.scenarios.run.progress import clock
from ethospike.shown import flat, short

STATUSES = {
    "complete": "The experiment reached its end.",
    "stopped": "A signal stopped the run before its end; all that was recorded until then is here.",
    "failed": "The run ended in an error; all that was recorded until then is here.",
    "interrupted": "The run was killed; all that was committed until then is here.",
    "running": "The run was going on when this page was written.",
}


def status(word: str) -> Markup:
    """Return the status of a run as a badge with a sentence."""
    known = word if word in STATUSES else None
    return element(
        "p", element("span", word, class_=f"badge {known or ''}".strip()), " ", STATUSES.get(word, "")
    )


def origin(info: Mapping[str, Any]) -> Markup:
    """Return seed, simulator, versions, source and times of a run, from `run.json` or `sweep.json`."""
    git, versions = info.get("git"), info.get("versions")
    rows: dict[str, object] = {
        "seed": info.get("seed"),
        "animals": info.get("animals"),
        "simulator": info.get("backend") or info.get("simulator"),
        "simulated": _clock(info.get("simulated_s")),
        "took": _took(info),
        "started": info.get("started"),
        "resumed": ", ".join(map(str, resumed)) if isinstance(resumed := info.get("resumed"), list) else None,
        "checkpoints": info.get("no_checkpoints") and f"none: {info['no_checkpoints']}",
        "command": _command(info),
        "source": _source(git),
        "versions": _versions(versions),
        "Python": info.get("python"),
        "machine": info.get("machine"),
    }
    return facts({name: value for name, value in rows.items() if value is not None})


def _clock(seconds: object) -> str | None:
    return clock(float(seconds)) if isinstance(seconds, (int, float)) else None


def _took(info: Mapping[str, Any]) -> str | None:
    took, factor = _clock(info.get("loop_wall_s")), info.get("real_time_factor")
    if took is None:
        return None
    return f"{took} ({number(float(factor))}× real time)" if isinstance(factor, (int, float)) else took


def _command(info: Mapping[str, Any]) -> Markup | None:
    import shlex

    words = info.get("command")
    if not isinstance(words, list):
        return None
    return element("code", shlex.join(["ethospike", *map(str, words[1:])]))


def _source(git: object) -> str | None:
    if not isinstance(git, Mapping):
        return None
    return f"commit {git.get('commit')}{'' if git.get('clean') else ', with changes that are not committed'}"


def _versions(versions: object) -> str | None:
    if not isinstance(versions, Mapping):
        return None
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def arms(info: Mapping[str, Any], summary: Mapping[str, Any]) -> Markup:
    """Return the control arms of a run with their proofs; empty for an intact animal."""
    proofs = info.get(ARMS) or summary.get(ARMS)
    if not isinstance(proofs, Mapping) or not proofs:
        return Markup()
    parts = []
    for name, proof in proofs.items():
        entries = flat(proof) if isinstance(proof, Mapping) else {"proof": proof}
        parts.append(element("h3", element("code", name)))
        parts.append(facts({key: short(value) for key, value in entries.items()}))
    error = info.get("error")
    if isinstance(error, str) and error:
        parts.append(element("p", error, class_="failed"))
    return section("Control arms, and the proof that they acted", joined(parts))
