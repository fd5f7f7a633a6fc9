"""The training of larvae with measured wiring, in small and with a made-up brain."""

from __future__ import annotations

import dataclasses
import json

import pytest
from small_larva import small_larva, write_winding

from ethospike.scenarios.command.app import main
from ethospike.scenarios.validation import connectomes
from ethospike.scenarios.validation.connectomes import Case, Settings, configuration


@pytest.mark.simulator("numba")
def test_rows_differ_by_group_and_arm_and_state_the_assumed_signs(tmp_path, monkeypatch, capsys):
    write_winding(small_larva(), tmp_path / "winding")
    cases = (Case("winding-brain"), Case("winding-brain", "odor only", arm=("silence KC",)))
    monkeypatch.setitem(connectomes.CASES, "brain", cases)
    words = ["--animals", "2", "--minute-s", "0.5", "--connectome", str(tmp_path)]
    main(["validate", "connectomes", "--parts", "brain", "--out", str(tmp_path / "out"), *words])
    rows = json.loads((tmp_path / "out.json").read_text())["brain"]["results"]
    intact, silenced = (rows[case.name] for case in cases)
    assert intact["kc_active n-amylacetate"]["mean"] > 0
    assert silenced["kc_active n-amylacetate"]["mean"] == 0
    assert "dan_hz_in_training" not in silenced
    assert 0 < intact["assumed_signs"] < 1, intact["assumed_signs"]
    assert "| winding-brain, odor only, silence KC |" in capsys.readouterr().out


def test_cases_are_the_published_protocol_with_one_change_each():
    settings = Settings(minute_s=10.0)
    plain, shuffled = (
        configuration(Case("winding-brain", arm=arm), settings) for arm in ((), ("shuffle PN>KC",))
    )
    assert (plain.odor_s, plain.gap_s, plain.test_s, plain.animals) == (20.0, 10.0, 30.0, 10)
    assert shuffled == dataclasses.replace(plain, arm=("shuffle PN>KC",))
    names = [case.name for cases in connectomes.CASES.values() for case in cases]
    assert len(set(names)) == len(names)


def test_too_few_larvae_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["validate", "connectomes", "--animals", "1"])
    assert "animals: expected at least 2" in capsys.readouterr().err
