"""Pages of runs: complete, broken, and made to do harm."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest
import view_runs
from matplotlib.figure import Figure
from pages import EVIL, TAGS, Page, run_folder

from ethospike.envs.odor_arena import ArenaConfig, OdorSource, Phase
from ethospike.scenarios.report import figures
from ethospike.scenarios.report.page.script import SCRIPT
from ethospike.scenarios.report.page.style import STYLE
from ethospike.scenarios.report.run import run_page
from ethospike.scenarios.report.writer import write_report
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import RunResult
from ethospike.variables import Component

LOADING = r"(url\(|@import|fetch\(|XMLHttp|WebSocket|innerHTML|document\.write|eval\()"


def test_a_page_says_what_was_run_and_why_it_can_be_trusted(arena_folder: RunFolder) -> None:
    page = Page(run_page(arena_folder))
    for words in (
        *("toy", "complete", "seed", "7", "ethospike 9.9", "commit abc, with changes that are not committed"),
        *("choice", "0.5", "[0.25, 0.75]", "position_mm was not recorded"),
        *("silence KC", "neurons.KC", "40"),
        *("body.speed_mm_s", "2.0", "mm/s", "default: 1.0"),
        *("ethospike run toy.py --body.speed-mm-s 2.0", "ethospike run toy.py --config config.toml"),
        *("0:12 (2.5× real time)", "300 control steps of 100 ms"),
    ):
        assert words in page.says, words
    assert "pygenn" not in page.says  # it was not installed
    saved = [value for _, name, value in page.attributes if name == "href"]
    assert "speed_mm_s = 2.0" in base64.b64decode(saved[0].partition("base64,")[2]).decode()


def test_several_texts_of_a_field_are_as_many_flags(tmp_path: Path) -> None:
    arms = ["silence KC phase=test", "freeze"]
    folder = run_folder(
        tmp_path / "run",
        config={"arm": arms, "on": False, "part": {"list": [1.0]}},
        changed_from_default={"arm": [], "on": True},
    )
    assert (
        "ethospike run toy.py --arm 'silence KC phase=test' --arm freeze --no-on"
        in Page(run_page(folder)).says
    )
    folder.update_info(changed_from_default={"part.list": []})
    assert "run toy.py --part" not in Page(run_page(folder)).says  # one flag, or several? the file knows


def test_only_the_changed_fields_are_marked(arena_folder: RunFolder) -> None:
    text = run_page(arena_folder)
    assert text.count('<tr class="changed">') == 1
    assert re.search(r'<tr class="changed"><th scope="row">body\.speed_mm_s', text)


def test_a_page_loads_nothing_and_runs_its_own_script_alone(arena_folder: RunFolder) -> None:
    page = Page(run_page(arena_folder))
    (policy,) = (v for t, n, v in page.attributes if t == "meta" and n == "content" and "default-src" in v)
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    for name, content in (("script-src", SCRIPT), ("style-src", STYLE)):
        assert content in page.text
        assert (
            allowed[name]
            == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
        )
    addresses = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "data", "srcset")
    ]
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(
        r"(url\(|@import|fetch\(|XMLHttp|WebSocket|innerHTML|document\.write|eval\()", page.text
    )


def evil_folder(path: Path) -> RunFolder:
    """A run in which every text that a user or a stranger may choose tries to be markup."""
    phase = Phase(EVIL, 3.0, (OdorSource(EVIL, (-20.0, 0.0)),))
    run = view_runs.ArenaRun(config=ArenaConfig((phase,)))
    populations = tuple(dataclasses.replace(p, name=EVIL + p.name) for p in run.layout.populations)
    variables = {
        name: dataclasses.replace(
            v,
            units=EVIL,
            long_name=EVIL,
            components=tuple(Component(EVIL, EVIL) for _ in v.components),
            panel=v.panel and dataclasses.replace(v.panel, title=EVIL),
        )
        for name, v in run.layout.variables.items()
    }
    run.layout = dataclasses.replace(
        run.layout,
        populations=populations,
        variables=variables,
        weights={name: (n, EVIL) for name, (n, _) in run.layout.weights.items()},
        labels={"class": (EVIL,) * sum(p.size for p in populations)},
    )
    folder = run_folder(
        path,
        run,
        config={"seed": 1, EVIL: EVIL, "table": {EVIL: [EVIL]}},
        summary={
            EVIL: {"mean": 1.0, "low": EVIL, "high": None, "animals": [1.0, EVIL]},
            "left_out": {EVIL: EVIL},
            "list": [EVIL],
            "rate": EVIL,
        },
        scenario=EVIL,
        scenario_file=f"/tmp/{EVIL}.py",
        seed=EVIL,
        backend=EVIL,
        command=["x", EVIL],
        versions={EVIL: EVIL, "ethospike": EVIL},
        git={"commit": EVIL, "clean": EVIL},
        started=EVIL,
        status=EVIL,
        machine={EVIL: EVIL},
        loop_wall_s=EVIL,
        resumed=[EVIL],
        no_checkpoints=EVIL,
        arms={EVIL: {EVIL: EVIL}},
        error=EVIL,
        changed_from_default={"seed": EVIL, EVIL: EVIL, "gone": None},
    )
    folder.figures.mkdir()
    Figure(figsize=(1, 1)).savefig(folder.figures / "a 'b' &<i>.png")
    (folder.figures / "draw.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>")
    (folder.figures / "no.png").write_text(EVIL)
    return folder


def test_nothing_from_a_run_can_inject_markup(tmp_path: Path) -> None:
    page = Page(run_page(evil_folder(tmp_path / "run")))
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 2
    assert page.scripts[1].strip() == SCRIPT.strip()
    names = {name for _, name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert all(v.startswith("data:") for t, n, v in page.attributes if n in ("src", "href"))
    assert page.says.count("<script>alert(1)</script>") > 20  # the words are there, as words
    assert page.data["phases"][0][2] == EVIL
    assert page.data["map"]["marks"][0]["label"] == EVIL
    assert page.data["raster"]["bands"][0]["name"] == EVIL + "KC"
    panels = page.data["panels"]
    assert any(EVIL in panel["names"] for panel in panels)
    assert f"mean weights ({EVIL})" in [panel["title"] for panel in panels]
    assert f"KC>MBONp ({EVIL})" in page.says
    assert "no.png: not a picture" in page.says


def test_a_link_among_the_figures_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Figure(figsize=(1, 1)).savefig(secret)
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "a.png").symlink_to(secret)
    assert figures.pictures(folder) == ([], [])


def test_figures_that_are_too_large_get_smaller_or_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, side in (("large", 12), ("small", 2)):
        figure = Figure(figsize=(side, side))
        figure.subplots().plot(range(9))
        figure.savefig(tmp_path / f"{name}.png", dpi=100)
    (tmp_path / "vector.svg").write_text("<svg>" + "x" * 90_000 + "</svg>")
    whole, left_out = figures.pictures(tmp_path)
    assert left_out == []
    monkeypatch.setattr(figures, "BUDGET", 24_000)
    shown, left_out = figures.pictures(tmp_path)
    assert [name for name, _ in left_out] == ["vector"]
    assert [picture.name for picture in shown] == ["large", "small"]
    assert len(shown[0].content) < len(whole[0].content)
    assert sum(len(picture.address) for picture in shown) < 24_100


def test_the_page_of_a_real_run_knows_its_scenario(short_run: RunResult, tmp_path: Path) -> None:
    out = write_report(short_run.folder.path, tmp_path / "page.html")
    page = Page(out.read_text())
    assert out.stat().st_size < 5_000_000
    assert "Larvae learn that an odor comes with reward or punishment" in page.says
    assert "Preference of the mushroom body for odor A at the start of the test" in page.says
    changed = json.loads((short_run.folder.path / "run.json").read_text())["changed_from_default"]
    assert changed["cycles"] == 5
    assert changed["animals"] == 1
    assert "seed" not in changed
    assert "default: 5" in page.says
    assert "ethospike run odor-conditioning --animals 2" in page.says
    assert page.tags.count("img") == len(short_run.figures) > 2


def test_a_run_without_a_recording_or_a_summary_has_a_page(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", status="failed")
    for name in ("recording.zarr", "summary.json"):
        (folder.path / name).rename(tmp_path / name)
    page = Page(run_page(folder))
    assert "Nothing was recorded." in page.says
    assert "The run ended in an error" in page.says
    assert page.data is None


def test_an_older_run_is_compared_with_the_defaults_of_this_version(tmp_path: Path) -> None:
    config = {"seed": 3, "cycles": 2}
    folder = run_folder(tmp_path / "run", config=config, scenario="odor-conditioning", scenario_file=None)
    page = Page(run_page(folder))
    assert "default: 5" in page.says
    other = run_folder(tmp_path / "other", config=config)
    assert "The defaults of this scenario are not known here" in Page(run_page(other)).says


def test_the_scenario_file_of_a_run_is_not_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    write_report(run_folder(tmp_path / "run", scenario=str(trap), scenario_file=str(trap)).path)
    write_report(run_folder(tmp_path / "two", scenario=str(trap), scenario_file=None).path)
    assert not (tmp_path / "sprung").exists()
