"""A view draws any scene that is registered, and knows none by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from ethospike.envs.scene import SCENES, Moment, Scene
from ethospike.recorders.recorder import Layout, Variable
from ethospike.recorders.view.screen import Screen, ScreenState, window_steps
from ethospike.recorders.view.source import Batch, LiveSource, viewed_variables
from ethospike.variables import Panel, named

VIEW = Path(__file__).parents[3] / "recorders" / "view"
LAMP = (250, 1, 2)


class LampScene(Scene):
    """A square that is as bright as a lamp."""

    kind = "lamp"
    needed = ("light",)
    window_s = 3.0
    trail_s = 2.0

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def of(cls, plain: Any) -> LampScene:
        return cls()

    def picture(self, moment: Moment, size_px: tuple[int, int], *, head_trail: bool = False) -> Any:
        surface = pygame.Surface(size_px)
        if moment.values("light")[moment.animal] > 0.5:
            surface.fill(LAMP)
        return surface

    def labels(self, moment: Moment) -> dict[str, str]:
        return {"trial": f"lamp {moment.values('light')[moment.animal]:g}"}

    def animal_at(
        self, moment: Moment, place_px: tuple[float, float], size_px: tuple[int, int]
    ) -> int | None:
        return int(place_px[0] > size_px[0] / 2)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> LiveSource:
    monkeypatch.setitem(SCENES, "lamp", (__name__, "LampScene"))
    panel = Panel("wing beat (Hz)", key="f", high=200.0)
    layout = Layout(
        animals=2,
        dt_ms=0.1,
        control_interval_ms=100.0,
        steps_per_control=1000,
        variables={
            "light": Variable("1", "light"),
            "beat_hz": Variable(
                "Hz", "wing beat", ("wing",), (2,), components=named(("left", "right"), "Hz"), panel=panel
            ),
            "unseen": Variable("1", "drawn by nothing"),
        },
        scene={"kind": "lamp"},
    )
    live = LiveSource(layout, "lamp", kept=window_steps(layout))
    light = np.array([[0.0, 1.0], [1.0, 1.0]], np.float32)
    values = {"light": light, "beat_hz": np.full((2, 2, 2), 190.0, np.float32)}
    live.add(Batch(np.arange(2), values, np.empty(0, np.int64), np.empty(0, np.int32), 0, 0.0))
    return live


def test_a_scene_needs_its_class_and_a_line_in_the_table(source: LiveSource) -> None:
    assert set(viewed_variables(source.layout)) == {"light", "beat_hz"}
    assert window_steps(source.layout) == 30
    screen, surface = Screen(source), pygame.Surface((640, 360))
    for step, expected in ((0, False), (1, True)):
        screen.draw(surface, ScreenState(step=step))
        assert (tuple(surface.get_at(screen.task.center))[:3] == LAMP) == expected
        assert screen.labels(ScreenState(step=step))["trial"] == f"lamp {step}"
    assert screen.animal_at((screen.task.right - 3, screen.task.centery), 1) == 1
    assert screen.animal_at((screen.task.left + 3, screen.task.centery), 1) == 0
    (panel,) = screen.panels
    assert (panel.key, [name for name, _ in panel._lines_of["beat_hz"]]) == ("f", ["left", "right"])


def test_views_name_no_task_and_no_neuron() -> None:
    """They had nine isinstance, four tables of tasks and the names of the mushroom body's cells."""
    files = sorted(VIEW.glob("*.py"))
    assert len(files) > 8
    words = ("odor", "arena", "reach", "larva", "MBON", "DAN", "preference", "cluster_rate", "dish")
    for file in files:
        text = file.read_text().replace("reaches", "").replace("reached", "")
        assert not [word for word in words if word in text], file
