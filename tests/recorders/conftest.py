"""Fixtures of the tests of recordings: a synthetic run, tiny chunks, no waiting for the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from synthetic_run import SyntheticRun


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests end programs, not machines; processes of their own wait for the disk all the same."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture(scope="session")
def run() -> SyntheticRun:
    return SyntheticRun()


@pytest.fixture
def make_run() -> type[SyntheticRun]:
    return SyntheticRun


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.zarr"


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and buffers of a few rows, so that a short run fills many of each (inline writer only)."""
    monkeypatch.setattr("ethospike.recorders.arrays.MAX_CHUNK_STEPS", 5)
    monkeypatch.setattr("ethospike.recorders.arrays.MAX_CHUNK_SPIKES", 40)
    monkeypatch.setattr("ethospike.recorders.zarr_recorder.buffer.MAX_ROWS", 4)
    monkeypatch.setattr("ethospike.recorders.zarr_recorder.buffer.MAX_SPIKES", 14)
