"""Pictures show what the state says, where it says, in colors that everybody tells apart."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pygame
import pytest

from ethospike.envs import draw
from ethospike.envs.delayed_reach import DelayedReachEnv, DelayedReachVectorEnv, ReachConfig
from ethospike.envs.delayed_reach import draw as draw_reach
from ethospike.envs.delayed_reach.scene import ReachScene
from ethospike.envs.delayed_reach.task import PHASES
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaEnv, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.envs.odor_arena import draw as draw_arena
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.envs.odor_arena.scene import ArenaScene
from ethospike.envs.scene import scene_of
from ethospike.errors import EnvError

SIZE = (600, 600)
EMPTY = ArenaConfig((Phase("empty", 10.0),))
PATCH = Reinforcement("punishment", 0.5, radius_mm=9.0, center_mm=(-20.0, 12.0))
RICH = ArenaConfig(
    (
        Phase(
            "a", 1.0, (OdorSource("A", (-30.0, 0.0)), OdorSource("B", (30.0, 10.0), peak_um=0.5)), (PATCH,)
        ),
        Phase("b", 2.0, (), (Reinforcement("reward"),)),
    ),
    mirror_odd_animals=True,
)


def expected_px(position_mm, radius_mm=50.0):
    """Middle of the picture, y upwards; the dish fills the picture but for a margin of 1.2 %."""
    scale = (SIZE[0] / 2 - 0.012 * SIZE[0]) / radius_mm
    return SIZE[0] / 2 + position_mm[0] * scale, SIZE[1] / 2 - position_mm[1] * scale


def center_of(surface, color):
    """Mean place of the pixels of a color; None without any."""
    pixels = pygame.surfarray.array3d(surface)
    where = np.argwhere((pixels == color).all(axis=2))
    return None if not len(where) else where.mean(axis=0)


def count(surface, color, tolerance=0):
    pixels = pygame.surfarray.array3d(surface).astype(int)
    return int((np.abs(pixels - color).max(axis=2) <= tolerance).sum())


# -- the arena --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_head_is_drawn_where_it_is_and_the_body_behind_it(seed):
    rng = np.random.default_rng(seed)
    head, heading = rng.uniform(-30, 30, 2), rng.uniform(-np.pi, np.pi)
    view = ArenaScene(EMPTY, range(1)).view(0, head[None], [heading], [0.0])
    surface = draw_arena.arena_surface(view, SIZE, caption=False)
    np.testing.assert_allclose(center_of(surface, draw_arena.HEAD), expected_px(head), atol=1.0)
    behind = head - 2.0 * np.array([np.cos(heading), np.sin(heading)])
    x, y = expected_px(behind)
    assert surface.get_at((round(x), round(y)))[:3] == draw_arena.BODY


def test_a_bent_body_has_its_tail_where_the_rear_segment_points():
    # Head segment along x, rear segment turned by −90°: the tail lies 2 mm above the middle.
    frame = draw.Frame.fitting(SIZE, 50.0, margin_px=0.0)
    points = draw_arena.body_px(frame, np.array([2.0, 0.0]), 0.0, np.pi / 2, 4.0)
    np.testing.assert_allclose(points[-1], frame.to_px((2.0, 0.0)), atol=1e-9)
    np.testing.assert_allclose(points[0], frame.to_px((0.0, 2.0)), atol=1e-9)


def test_an_animal_of_a_mirrored_dish_is_drawn_on_the_same_side_of_the_odor():
    scene = ArenaScene(RICH, range(2))
    view = scene.view(0, [(40.0, 20.0), (-10.0, 30.0)], [0.0, 0.0], [0.0, 0.0])
    surface = draw_arena.arena_surface(view, SIZE, caption=False)
    left = surface.subsurface((0, 0, SIZE[0] // 2, SIZE[1]))
    assert center_of(left, draw_arena.HEAD) is None
    pixels = pygame.surfarray.array3d(surface)
    for place in ((40.0, 20.0), (10.0, 30.0)):
        x, y = expected_px(place)
        assert tuple(pixels[round(x), round(y)]) == draw_arena.HEAD


def test_odors_glow_in_their_colors_with_contour_lines_at_equal_steps():
    scene = ArenaScene(ArenaConfig((Phase("p", 1.0, (OdorSource("A"),)),)), range(1))
    surface = draw_arena.arena_surface(scene.view(0, [(45.0, 0.0)], [0.0], [0.0]), SIZE, caption=False)
    middle = np.array(surface.get_at((SIZE[0] // 2, SIZE[1] // 2))[:3])
    sky = np.array(draw_arena.ODOR_COLORS[0])
    agar = np.array(draw_arena.AGAR)
    np.testing.assert_allclose(middle, agar + draw_arena.HEAT * (sky - agar), atol=4)
    # c = 2 exp(−r²/400) µM is 1.5, 1.0 and 0.5 µM at these radii (mm): lines stick out of the glow there.
    row = pygame.surfarray.array3d(surface)[SIZE[0] // 2 :, SIZE[1] // 2].sum(axis=1).astype(float)
    glow = np.array([np.median(row[max(0, i - 6) : i + 7]) for i in range(len(row))])
    scale = (SIZE[0] / 2 - 0.012 * SIZE[0]) / 50.0
    lines_mm = np.flatnonzero(row[: round(40 * scale)] - glow[: round(40 * scale)] > 40) / scale
    radii_mm = np.sqrt(-400.0 * np.log(np.array([1.5, 1.0, 0.5]) / 2.0))
    for radius in radii_mm:
        assert np.abs(lines_mm - radius).min() < 0.5
    assert all(np.abs(radii_mm - line).min() < 0.5 for line in lines_mm)


@pytest.mark.parametrize(("peak", "step"), [(2.0, 0.5), (1.0, 0.2), (8.0, 2.0), (0.05, 0.01)])
def test_contours_are_at_round_numbers(peak, step):
    assert draw_arena.contour_step_um(peak) == pytest.approx(step)


def test_reinforcement_is_drawn_where_it_lies_and_only_there():
    def picture(phase):
        view = ArenaScene(RICH, range(1)).view(phase, [(0.0, -40.0)], [0.0], [0.0])
        return draw_arena.arena_surface(view, SIZE, caption=False)

    with_patch, everywhere = picture(0), picture(1)
    bare = draw_arena.arena_surface(
        ArenaScene(EMPTY, range(1)).view(0, [(0.0, -40.0)], [0.0], [0.0]), SIZE, caption=False
    )
    bright = draw.mixed(draw_arena.PUNISHMENT, draw.TEXT, 0.35)
    x, y = expected_px(PATCH.center_mm)
    # The legend has the same color in the corner, which the dish leaves free.
    patch = with_patch.subsurface((round(x) - 70, round(y) - 70, 140, 140))
    np.testing.assert_allclose(center_of(patch, bright), (70, 70), atol=6)
    assert count(with_patch, draw_arena.REWARD, 2) == count(bare, draw_arena.REWARD, 2) == 0
    assert count(everywhere, draw_arena.REWARD, 2) > 500
    assert count(everywhere, bright) == 0


def test_backgrounds_are_remembered_but_not_for_ever():
    for n in range(3 * draw_arena.KEPT_BACKGROUNDS):
        config = ArenaConfig((Phase("p", 1.0, (OdorSource("A", (float(n), 0.0)),)),))
        draw_arena.arena_surface(ArenaScene(config, range(1)).view(0, [(0.0, 0.0)], [0.0], [0.0]), (64, 64))
    assert len(draw_arena._backgrounds) == draw_arena.KEPT_BACKGROUNDS


def test_a_trail_fades_and_is_broken_where_there_is_nothing():
    sheet = pygame.Surface((200, 20), pygame.SRCALPHA)
    points = np.stack((np.linspace(5, 195, 96), np.full(96, 10.0)), axis=1)
    points[45:51] = np.nan
    draw.trail(sheet, points, (255, 255, 255), 1)
    alpha = pygame.surfarray.array_alpha(sheet)[:, 10].astype(int)
    left, right = alpha[6:90], alpha[110:194]
    assert left.min() > 0
    assert (np.diff(left) >= 0).all()
    assert (np.diff(right) >= 0).all()
    assert right[0] > left[0] + 80
    assert right[-1] > 230
    assert (alpha[96:104] == 0).all()


# -- the reach --------------------------------------------------------------------------------------------


def reach_view(**changes):
    state = {
        "position_mm": np.array([0.0, 0.0]),
        "preparatory_signal": np.zeros(6, bool),
        "response_signal": np.zeros(6, bool),
        **{"phase": "delay", "phase_index": 3, "trial": 0, "target": 1, "chosen": -1, "outcome": ""},
        "time_s": 1.0,
    }
    return {**state, **changes}


def reach_picture(**changes):
    return draw_reach.reach_surface(ReachConfig(), reach_view(**changes), SIZE, caption=False)


def test_the_hand_is_drawn_where_it_is():
    surface = reach_picture(position_mm=np.array([40.0, -60.0]))
    scale = (SIZE[0] / 2 - 0.012 * SIZE[0]) / ReachConfig().workspace_mm
    expected = SIZE[0] / 2 + 40.0 * scale, SIZE[1] / 2 + 60.0 * scale
    np.testing.assert_allclose(center_of(surface, draw_reach.HAND), expected, atol=1.0)


@pytest.mark.parametrize("target", range(6))
def test_signals_are_shown_at_their_targets(target):
    on = np.arange(6) == target
    scale = (SIZE[0] / 2 - 0.012 * SIZE[0]) / ReachConfig().workspace_mm
    angle = target * np.pi / 3
    x = SIZE[0] / 2 + 80.0 * scale * np.cos(angle)
    y = SIZE[1] / 2 - 80.0 * scale * np.sin(angle)
    place = pygame.Rect(0, 0, 90, 90)
    place.center = round(x), round(y)
    cued, response = reach_picture(preparatory_signal=on), reach_picture(response_signal=on)
    for surface, color in ((cued, draw_reach.CUE), (response, draw_reach.GO)):
        np.testing.assert_allclose(center_of(surface.subsurface(place), color), (45, 45), atol=2)
    # Elsewhere, only the legend.
    assert count(cued, draw_reach.CUE) - count(cued.subsurface(place), draw_reach.CUE) < 150
    assert count(reach_picture().subsurface(place), draw_reach.GO) == 0


def test_the_outcome_colors_the_chosen_target():
    for outcome in ("correct", "wrong"):
        surface = reach_picture(chosen=3, outcome=outcome)
        left = surface.subsurface((0, 200, 200, 200))
        assert count(left, draw_reach.OUTCOME_COLORS[outcome]) > 100


# -- both -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [OdorArenaEnv, DelayedReachEnv, OdorArenaVectorEnv, DelayedReachVectorEnv])
def test_rgb_array_is_the_same_drawing_and_changes_nothing(make):
    seen, unseen = make(render_mode="rgb_array"), make()
    seen.reset(seed=4)
    unseen.reset(seed=4)
    before = np.asarray(seen.render())
    for _ in range(60):
        seen.action_space.seed(1)
        action = seen.action_space.sample()
        np.testing.assert_array_equal(seen.step(action)[0], unseen.step(action)[0])
        picture = seen.render()
    picture = np.asarray(picture)
    assert picture.dtype == np.uint8
    assert picture.shape[-3] == picture.shape[-2] >= 400
    assert picture.shape[-1] == 3
    assert (picture != before).any()


@pytest.mark.parametrize("animals", [range(2), range(1, 2)])
def test_an_arena_drawn_from_a_recording_is_the_arena(animals):
    scene = ArenaScene(RICH, animals)
    again = scene_of(json.loads(json.dumps(scene.plain())))
    assert isinstance(again, ArenaScene)
    assert again.config == RICH
    n = len(animals)
    state = np.random.default_rng(1).uniform(-20, 20, (n, 2)), np.full(n, 0.3), np.full(n, -0.2)
    for phase in (0, 1):
        pictures = [
            pygame.image.tobytes(draw_arena.arena_surface(one.view(phase, *state), SIZE), "RGB")
            for one in (scene, again)
        ]
        assert pictures[0] == pictures[1]
    assert set(again.side) == ({1.0, -1.0} if n == 2 else {-1.0})


def test_the_environments_describe_their_scenes():
    arena = OdorArenaVectorEnv(3, RICH)
    arena.reset(seed=1)
    _, _, _, _, info = arena.step(np.full((3, 2), 0.4))
    again = scene_of(json.loads(json.dumps(arena.scene())))
    expected = arena.view_state()
    view = again.view(0, info["position_mm"], info["heading_rad"], info["bend_rad"], time_s=0.1)
    assert set(view) == set(expected)
    for name, value in expected.items():
        if name == "heading_rad":  # `info` wraps it
            np.testing.assert_allclose(np.exp(1j * view[name]), np.exp(1j * value), atol=1e-5)
        elif np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(view[name], value, atol=1e-5)
        else:
            np.testing.assert_array_equal(view[name], value)


def test_a_reach_drawn_from_recorded_variables_is_the_reach():
    env = DelayedReachVectorEnv(2, ReachConfig(n_trials=3))
    env.reset(seed=2)
    scene = scene_of(json.loads(json.dumps(env.scene())))
    assert isinstance(scene, ReachScene)
    phases = set()
    for _ in range(400):
        before = env._task.observation()
        *_, info = env.step(np.random.default_rng(0).uniform(-1, 1, (2, 2)) * 0.01)
        view = scene.view({**info, "observation": before}, 1, time_s=env.view_state(1)["time_s"])
        expected = env.view_state(1)
        assert set(view) == set(expected)
        phases.add(view["phase"])
        for name in set(expected) - {"preparatory_signal", "response_signal"}:
            np.testing.assert_array_equal(view[name], expected[name])
        # Signals are those that were on during the step.
        np.testing.assert_array_equal(view["preparatory_signal"], before[1, :6] > 0)
        np.testing.assert_array_equal(view["response_signal"], before[1, 6:12] > 0)
    assert len(phases & set(PHASES)) >= 4


@pytest.mark.parametrize("plain", [{}, {"kind": "maze"}])
def test_an_unknown_scene_is_refused(plain):
    with pytest.raises(EnvError, match="odor_arena, delayed_reach"):
        scene_of(plain)


def test_environments_load_no_pygame_and_pictures_no_audio():
    code = """if True:
        import sys
        import gymnasium, numpy as np
        import ethospike.envs
        env = gymnasium.make("ethospike/OdorArena-v0")
        env.reset(seed=1); env.step(env.action_space.sample())
        assert "pygame" not in sys.modules
        for name in ("ethospike/OdorArena-v0", "ethospike/DelayedReach-v0"):
            env = gymnasium.make(name, render_mode="rgb_array")
            env.reset(seed=1)
            assert env.render().std() > 5
        import pygame
        assert pygame.mixer.get_init() is None and not pygame.display.get_init()
    """
    environment = {"PATH": "/usr/bin:/bin", "SDL_AUDIODRIVER": "none-such"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Machado, Oliveira and Fernandes 2009 (IEEE TVCG 15:1291), severity 1.0, on linear RGB.
PROTANOPIA = [
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
]
DEUTERANOPIA = [
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
]
TRITANOPIA = [
    (1.255528, -0.076749, -0.178779),
    (-0.078411, 0.930809, 0.147602),
    (0.004733, 0.691367, 0.303900),
]


def lab(color):
    """CIE L*a*b* of linear RGB (sRGB primaries, D65)."""
    xyz = np.array([(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)]) @ color
    t = xyz / (0.9505, 1.0, 1.089)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("matrix", [np.eye(3), PROTANOPIA, DEUTERANOPIA, TRITANOPIA])
@pytest.mark.parametrize(
    "colors",
    [
        draw_arena.ODOR_COLORS[:2],
        (draw_arena.REWARD, draw_arena.PUNISHMENT, draw.SELECTED),
        (draw_reach.CUE, draw_reach.GO, draw_reach.HAND, draw.PANEL),
        (draw_reach.OUTCOME_COLORS["correct"], draw_reach.OUTCOME_COLORS["wrong"]),
    ],
)
def test_colors_that_mean_different_things_differ_for_color_blind_readers(matrix, colors):
    # A difference of 2.3 in L*a*b* is just noticeable; ten times that is plain.
    seen = []
    for color in colors:
        share = np.array(color) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        seen.append(lab(np.clip(np.asarray(matrix) @ linear, 0, 1)))
    pairs = [(a, b) for a in range(len(seen)) for b in range(a)]
    assert min(np.linalg.norm(seen[a] - seen[b]) for a, b in pairs) > 23


def test_text_is_written_after_pygame_was_quit() -> None:
    """Classic control of Gymnasium quits pygame when it is closed, and cached fonts were dead."""
    surface = pygame.Surface((80, 20))
    draw.text(surface, "before", (0, 0), 14)
    pygame.quit()
    rect = draw.text(surface, "after", (0, 0), 14)
    assert rect.width > 10
    assert draw.font(14).size("after")[0] == rect.width
