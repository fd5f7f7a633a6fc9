"""The page of one run."""

from __future__ import annotations

from typing import Any

from ethospike.errors import ScenarioError
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.recording.show import shown_content
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.report import settings
from ethospike.scenarios.report.figures import figures
from ethospike.scenarios.report.measures import measures
from ethospike.scenarios.report.origin import arms, origin, status
from ethospike.scenarios.report.page.document import document
from ethospike.scenarios.report.page.html import Markup, element, facts, section
from ethospike.scenarios.report.player import player_data
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.scenario import Scenario

KEYS = (
    "Space plays and pauses, ← and → step, + and − change the speed; with the focus on the player, Page Up, "
    "Page Down, Home and End jump. A click on a line chart seeks."
)


def run_page(folder: RunFolder, scenario: Scenario | None = None) -> str:
    """Return the page of a run as HTML.

    Parameters
    ----------
    folder : RunFolder
    scenario : Scenario, optional
        Its sentence and its defaults are in the page. By default that of `ethospike list`; a user's file is
        not run for a page.
    """
    info, summary, config = folder.info, folder.summary, folder.config
    known = scenario or known_scenario(info)
    recording = open_recording(folder.path) if folder.recording.exists() else None
    data = None if recording is None else player_data(recording)
    changed = settings.changed_defaults(info, known, config)
    name = str(info.get("scenario", "run"))
    content = [
        element("p", "ethospike: a run", class_="dim"),
        element("h1", name),
        element("p", known.about, class_="dim") if known else "",
        status(folder.status),
        element("p", conclusion(known, summary)),
        section("Player", player(data, recording)),
        section("Measures", measures(summary)),
        section("Figures", figures(folder.figures)),
        arms(info, summary),
        section("Configuration", settings.configuration(config, changed)),
        section(
            "Make it again",
            settings.again(info, config, changed),
            element("p", _repeats(info), class_="note"),
        ),
        section("Origin", origin(info)),
        section("Recording", _recorded(recording)),
    ]
    return document(f"{name}, seed {info.get('seed', '?')}", content, data)


def known_scenario(info: dict[str, Any]) -> Scenario | None:
    """Return the scenario of a run if it comes with ethospike; no file that a run names is loaded."""
    if info.get("scenario_file"):
        return None
    name = str(info.get("scenario", ""))
    try:
        return None if name.endswith(".py") else find_scenario(name)
    except ScenarioError:
        return None


def conclusion(scenario: Scenario | None, summary: dict[str, Any]) -> str:
    """Return the scenario's sentence about a summary; empty without one."""
    if scenario is None or not summary:
        return ""
    try:
        return scenario.conclude(summary)
    except Exception:  # a summary that was edited, or is of another version, may lack anything
        return ""


def player(data: dict[str, Any] | None, recording: Recording | None) -> Markup:
    """Return the elements that the script fills: canvases, slider, buttons."""
    if data is None:
        empty = recording is None or not recording.n_steps
        why = "Nothing was recorded." if empty else "The recording holds neither paths nor spikes nor rates."
        return element("p", why, class_="note")
    canvases, no_raster = _canvases(data), ""
    if data["raster"] is None and recording is not None and recording.layout.populations:
        no_raster = "No raster: no single spikes of this animal were listed, or too many."
    buttons = [
        element("button", "Play", type_="button", id_="play"),
        element("button", "−", type_="button", id_="slower", aria_label="slower"),
        element("button", "+", type_="button", id_="faster", aria_label="faster"),
        Markup('<input type="range" id="time" min="0" max="1" value="0" aria-label="time">'),
        element("output", "", id_="now"),
    ]
    noscript = element("p", "The player needs JavaScript; everything else on this page does not.")
    return element(
        "div",
        element("noscript", noscript),
        element("div", *buttons, class_="controls"),
        element("div", *canvases, class_="player" if len(canvases) == 2 else "player flat"),
        element("p", no_raster, class_="note"),
        element("div", "", id_="lines", class_="lines"),
        element("p", KEYS, class_="note keys"),
        id_="player",
        tabindex=0,
    )


def _canvases(data: dict[str, Any]) -> list[Markup]:
    """Return the canvases of the paths and of the raster, each with its explanation."""
    world, spikes, animal = data["map"], data["raster"], data["animal"]
    canvases = []
    if world:
        shown = f"{len(world['animals'])} of {data['animals']} animals"
        canvases.append(_canvas("map", f"paths of {shown} ({world['variable']}); yellow: animal {animal}"))
    if spikes:
        every = f", every {spikes['stride']}th neuron" if spikes["stride"] > 1 else ""
        bins = f"bins of {spikes['bin_s'] * 1000:g} ms"
        canvases.append(_canvas("raster", f"spikes of animal {animal} in {bins}{every}; time in s"))
    return canvases


def _canvas(name: str, label: str) -> Markup:
    canvas = element("canvas", "", id_=name, role="img", aria_label=label)
    return element("figure", canvas, element("figcaption", label), class_=name)


def _repeats(info: dict[str, Any]) -> str:
    versions = info.get("versions")
    version = versions.get("ethospike") if isinstance(versions, dict) else None
    return (
        f"With ethospike {version or 'of the same version'} and the same version of the simulator, the "
        f"recording is the same, bit for bit (but for GeNN on a GPU). config.toml is in the run's folder, "
        f"and above."
    )


def _recorded(recording: Recording | None) -> Markup:
    if recording is None:
        return Markup()
    return facts({name: value for name, value in shown_content(recording).items() if name != "folder"})
