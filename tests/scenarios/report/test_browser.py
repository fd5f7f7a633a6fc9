"""Pages in a real browser without a network, where Chromium is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pages import EVIL, Page, run_folder
from view_runs import ReachRun

from ethospike.scenarios.report.writer import write_report
from ethospike.scenarios.run.folder import RunFolder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path")


def shown(page: Path, place: str, profile: Path) -> Page:
    """Return the page as the browser has made it, after its script has run."""
    command = [
        *(str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
        *("--proxy-server=127.0.0.1:9", "--virtual-time-budget=60000", "--dump-dom", f"file://{page}{place}"),
    ]
    # The browser hands over the page when its own clock, which does not wait for unpacking, has run out: on a
    # busy machine five times in a row before the script is done.
    for _ in range(60):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        if re.search(r'id="now">\d', done.stdout):
            break
    return Page(done.stdout)


def test_the_player_shows_the_moment_that_the_address_names(arena_folder: RunFolder, tmp_path: Path) -> None:
    page = write_report(arena_folder.path, tmp_path / "page.html")
    opened = shown(page, "#t=20", tmp_path / "profile")
    assert "20.0 s of 30.0 s, test" in opened.says
    assert ("div", "data-ready", "yes") in opened.attributes
    assert opened.tags.count("canvas") == 2 + 4  # paths, raster; two read-outs, rates, weights
    assert "Play" in opened.says


def test_markup_in_a_run_stays_text_in_a_browser(tmp_path: Path) -> None:
    folder = run_folder(
        tmp_path / "run", ReachRun(neurons=60), scenario=EVIL, summary={EVIL: EVIL}, backend=EVIL
    )
    opened = shown(write_report(folder.path), "", tmp_path / "profile")
    assert ("div", "data-ready", "yes") in opened.attributes
    assert opened.tags.count("script") == 2
    assert "img" not in opened.tags
    assert opened.says.count("<script>alert(1)</script>") >= 3
