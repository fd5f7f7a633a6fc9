"""The file of a page, and the commands that write it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from places import EXAMPLES

from ethospike.errors import RunFolderError
from ethospike.scenarios.command.app import main
from ethospike.scenarios.report import writer
from ethospike.scenarios.run.folder import RunFolder

VEHICLE = ["run", str(EXAMPLES / "vehicle.py"), "--duration-s", "0.3", "--quiet", "--out"]


def test_the_command_writes_where_it_is_told(
    arena_folder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(arena_folder.path, run)
    main(["report", str(run)])
    main(["report", str(run), "--out", str(tmp_path / "page.html")])
    assert (run / "report.html").read_text() == (tmp_path / "page.html").read_text()
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out


def test_a_place_that_cannot_be_is_one_message(arena_folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="there is no folder"):
        writer.write_report(arena_folder.path, tmp_path / "nowhere" / "page.html")
    with pytest.raises(RunFolderError, match="is a folder"):
        writer.write_report(arena_folder.path, tmp_path)
    with pytest.raises(RunFolderError, match="not a run"):
        writer.write_report(tmp_path)


def test_a_run_ends_with_a_page_unless_it_is_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*VEHICLE, str(tmp_path / "with")])
    assert "report:" in capsys.readouterr().out
    page = (tmp_path / "with" / "report.html").read_text()
    assert "vehicle.py --duration-s 0.3" in page
    main([*VEHICLE, str(tmp_path / "without"), "--no-report"])
    assert "report:" not in capsys.readouterr().out
    assert not (tmp_path / "without" / "report.html").exists()


def test_a_page_that_fails_does_not_make_a_run_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("as it was told")

    monkeypatch.setattr(writer, "write_report", broken)
    main([*VEHICLE, str(tmp_path / "run")])
    told = capsys.readouterr()
    assert "complete:" in told.out
    assert "no report: as it was told; try again with `ethospike report" in told.err


def test_plot_renews_a_page_that_is_there(tmp_path: Path) -> None:
    main([*VEHICLE, str(tmp_path / "run")])
    page = tmp_path / "run" / "report.html"
    page.write_text("old")
    main(["plot", str(tmp_path / "run")])
    assert page.read_text().startswith("<!DOCTYPE html>")
    page.unlink()
    main(["plot", str(tmp_path / "run")])
    assert not page.exists()
