"""The panels beside a scene: raster, rates and other read-outs, and weights of one animal.

Each panel shows the last seconds up to the control step, with the meaning of its colors beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from ethospike.envs.draw import DIM, LINE, OKABE_ITO, PANEL, SELECTED, TEXT, Color, font, mixed, text
from ethospike.recorders.recorder import Layout, PopulationLayout, Variable
from ethospike.recorders.view.source import ViewSource, raster_stride
from ethospike.variables import Panel as Description

COLORS = tuple(OKABE_ITO[name] for name in ("sky", "orange", "green", "yellow", "purple", "vermilion"))
"""Colors of populations, clusters and lines in their order; neighbors differ."""
THICKEST_PX = 8
"""Height of a spike at most."""
AS_IN_RASTER = "colors as in the raster"
PHASE_LINE: Color = (112, 122, 138)
CIVIDIS = np.array(
    [(0, 34, 78), (53, 69, 108), (102, 105, 112), (148, 142, 119), (196, 182, 103), (254, 232, 56)], float
)
"""Colors of weights, from 0 to the strongest: six of the map cividis, made for color-blind readers."""


@dataclass(frozen=True)
class Window:
    """The time axis of the panels: `n` control steps up to `last`; and the height of text in pixels.

    The raster is divided by population, or by the kind of label that `grouping` names.
    """

    last: int
    n: int
    text_px: int
    layout: Layout
    grouping: str = ""

    @property
    def end_s(self) -> float:
        """End of the time axis (s)."""
        return (self.last + 1) * self.layout.control_interval_ms / 1000.0

    @property
    def length_s(self) -> float:
        """Length of the time axis (s)."""
        return self.n * self.layout.control_interval_ms / 1000.0

    def x(self, time_s: NDArray[np.floating], rect: pygame.Rect) -> NDArray[np.float64]:
        """Return the pixels of times in a rectangle."""
        share = 1.0 + (time_s - self.end_s) / self.length_s
        return np.asarray(rect.left + share * (rect.width - 1), float)


class Panel(ABC):
    """One panel.

    Attributes
    ----------
    key : str
        The key that hides it; empty for one that stays.
    weight : float
        Its share of the height, compared with the others.
    """

    key = ""
    weight = 1.0

    @abstractmethod
    def draw(self, surface: pygame.Surface, rect: pygame.Rect, source: ViewSource, window: Window) -> None:
        """Fill the rectangle."""

    def _frame(self, surface: pygame.Surface, rect: pygame.Rect, title: str, window: Window) -> pygame.Rect:
        """Draw background and title; return the rectangle for the data, with room for names to its left."""
        pygame.draw.rect(surface, PANEL, rect, border_radius=6)
        size = window.text_px
        text(surface, title, (rect.left + size * 0.5, rect.top + size * 0.25), size, TEXT)
        inner = pygame.Rect(rect.left + round(size * 4.6), rect.top + round(size * 1.65), 0, 0)
        inner.width = max(8, rect.right - inner.left - round(size * 0.7))
        inner.height = max(8, rect.bottom - inner.top - round(size * 0.5))
        return inner

    def _mark_phases(
        self, surface: pygame.Surface, inner: pygame.Rect, source: ViewSource, window: Window
    ) -> None:
        """Draw a line where a phase begins."""
        if "phase" not in source.layout.variables:
            return
        steps, phase = source.rows("phase", window.last, window.n)
        begins = steps[1:][np.diff(phase[:, source.animal]) != 0]
        begin_s = begins * (source.layout.control_interval_ms / 1000.0)
        for x in window.x(begin_s, inner):
            pygame.draw.line(surface, PHASE_LINE, (x, inner.top), (x, inner.bottom - 1))


class RasterPanel(Panel):
    """Spikes of one animal: a row a neuron, a band and a color a population, cluster or label."""

    key = "r"
    weight = 3.4

    def __init__(self) -> None:
        self._rows_of: dict[str, _Rows] = {}

    def title(self, source: ViewSource, window: Window) -> str:
        """Return the title, with the neurons that are left out."""
        stride, layout = raster_stride(source.layout), source.layout
        neurons = sum(population.size for population in layout.populations)
        words = f"spikes of animal {source.animal}, last {window.length_s:g} s"
        if len(source.unlisted) == len(layout.populations):
            return f"{words}: not listed in this recording"
        if window.grouping:
            words += f", by {window.grouping}"
        if stride > 1:
            words += f"; every {_ordinal(stride)} of {neurons:,} neurons"
        if source.unlisted:
            words += f"; not listed: {', '.join(source.unlisted)}"
        return words

    def draw(self, surface: pygame.Surface, rect: pygame.Rect, source: ViewSource, window: Window) -> None:
        """Draw the raster."""
        inner = self._frame(surface, rect, self.title(source, window), window)
        if window.grouping not in self._rows_of:
            self._rows_of[window.grouping] = _rows(source.layout, window.grouping)
        rows = self._rows_of[window.grouping]
        bands = _bands(rows.groups, inner.height, window.text_px)
        step, neuron = source.spikes(window.last, window.n)
        x = window.x(step * (source.layout.dt_ms / 1000.0), inner).astype(int) - inner.left
        inside = (x >= 0) & (x < inner.width)
        fired = _fired(rows, bands, raster_stride(source.layout), x[inside], neuron[inside], inner.size)
        surface.blit(_raster(bands, fired), inner)
        self._mark_phases(surface, inner, source, window)
        last_bottom = -1e9
        for band in bands:
            middle = inner.top + band.top + band.height / 2
            if band.label and middle - last_bottom >= window.text_px * 0.5:
                place = (inner.left - window.text_px * 0.4, middle)
                text(surface, band.label, place, window.text_px * 7 // 8, band.color, "midright")
                last_bottom = middle + window.text_px * 0.35


class LinePanel(Panel):
    """Variables over time, one line a component.

    Parameters
    ----------
    panel : Description
        Title, key, ends of the axis and smoothing.
    variables : tuple of str
        Variables of one unit.
    layout : Layout
    """

    def __init__(self, panel: Description, variables: tuple[str, ...], layout: Layout) -> None:
        self.key, self._panel = panel.key, panel
        self._lines_of = {name: _named_lines(name, layout) for name in variables}
        in_raster = all(_is_in_raster(layout.variables[name], layout) for name in variables)
        self._crowded = AS_IN_RASTER if in_raster else ""

    def draw(self, surface: pygame.Surface, rect: pygame.Rect, source: ViewSource, window: Window) -> None:
        """Draw the lines, and their names into the title's line."""
        inner = self._frame(surface, rect, self._panel.title, window)
        lines = self._lines(source, window)
        low, high = self._ends(lines)
        self._axis(surface, inner, low, high, window)
        self._mark_phases(surface, inner, source, window)
        for _, color, time_s, values in reversed(lines):
            if len(values) > 1:
                x = window.x(time_s, inner)
                y = inner.bottom - 1 - (np.clip(values, low, high) - low) / (high - low) * (inner.height - 1)
                points = np.stack((x, y), axis=1)[np.isfinite(values)].tolist()
                if len(points) > 1:
                    pygame.draw.lines(surface, color, False, points, 2)
        self._name_lines(surface, rect, [(name, color) for name, color, _, _ in lines if name], window)

    def _name_lines(
        self, surface: pygame.Surface, rect: pygame.Rect, names: list[tuple[str, Color]], window: Window
    ) -> None:
        """Write the names of all lines to the right of the title, or a few words that stand for them."""
        size, gap = window.text_px, round(window.text_px * 0.8)

        def width(words: str) -> int:
            return font(size).size(words)[0] + gap

        room = rect.width - size - width(self._panel.title)
        if sum(width(name) for name, _ in names) > room:
            names = [(self._crowded, DIM)] if width(self._crowded) <= room else []
        right = round(rect.right - size * 0.5)
        for name, color in reversed(names):
            right = text(surface, name, (right, rect.top + size * 0.25), size, color, "topright").left - gap

    def _lines(
        self, source: ViewSource, window: Window
    ) -> list[tuple[str, Color, NDArray[np.floating], NDArray[np.floating]]]:
        interval_s = source.layout.control_interval_ms / 1000.0
        smooth = max(1, round(self._panel.smoothed_s / interval_s))
        lines = []
        for variable, named in self._lines_of.items():
            steps, values = source.rows(variable, window.last, window.n)
            mine = np.asarray(values[:, source.animal], float).reshape(len(steps), -1)
            if smooth > 1 and len(steps) > smooth:
                mine, steps = _running_mean(mine, smooth), steps[smooth - 1 :]
            for i, (name, color) in enumerate(named):
                lines.append((name, color, (steps + 1) * interval_s, mine[:, i]))
        return lines

    def _ends(self, lines: list[tuple[str, Color, Any, NDArray[np.floating]]]) -> tuple[float, float]:
        """Return the ends of the axis; those that follow the data show 0 and are round."""
        seen = [y[np.isfinite(y)] for *_, y in lines]
        values = [float(end) for y in seen if len(y) for end in (y.min(), y.max())]
        low, high = self._panel.low, self._panel.high
        if low is None:
            lowest = min(values, default=0.0)
            low = -_round_up(-lowest) if lowest < 0.0 else 0.0
        if high is None:
            highest = max(values, default=0.0)
            high = _round_up(max(highest, 1.0))
        return low, high

    def _axis(
        self, surface: pygame.Surface, inner: pygame.Rect, low: float, high: float, window: Window
    ) -> None:
        size = window.text_px * 7 // 8
        for value in (low, (low + high) / 2, high) if inner.height > 3.2 * size else (low, high):
            y = inner.bottom - 1 - (value - low) / (high - low) * (inner.height - 1)
            pygame.draw.line(surface, mixed(PANEL, LINE, 0.6), (inner.left, y), (inner.right - 1, y))
            text(surface, f"{value:g}", (inner.left - size * 0.4, y), size, DIM, "midright")


class WeightPanel(Panel):
    """Plastic weights of one animal: a strip a projection, a cell a synapse."""

    key = "w"
    weight = 0.9

    def __init__(self, layout: Layout) -> None:
        self._strongest = dict.fromkeys(layout.weights, 0.0)
        self._colors = population_colors(layout)

    def draw(self, surface: pygame.Surface, rect: pygame.Rect, source: ViewSource, window: Window) -> None:
        """Draw the strips, each from 0 to the strongest weight seen so far, and the means."""
        weights = source.weights(window.last)
        inner = self._frame(surface, rect, self.title(weights), window)
        size = window.text_px * 7 // 8
        height = inner.height // max(1, len(source.layout.weights))
        for row, (name, (_, units)) in enumerate(source.layout.weights.items()):
            y = inner.top + row * height
            target = name.split(">")[-1]
            color = self._colors.get(target, TEXT)
            text(surface, target, (inner.left - size * 0.4, y + height / 2), size, color, "midright")
            if name not in weights or not len(weights[name]):
                continue
            values = np.asarray(weights[name], float)
            self._strongest[name] = max(self._strongest[name], float(values.max()), 1e-12)
            words = f"mean {values.mean():.3g} {units}"
            room = round(size * 7.2)
            strip = pygame.Rect(inner.left, y + 1, max(8, inner.width - room), height - 3)
            surface.blit(_strip(values / self._strongest[name], strip.size), strip)
            text(surface, words, (inner.right, y + height / 2), size, DIM, "midright")

    def title(self, weights: Mapping[str, Any]) -> str:
        """Return the title, with the source of the weights."""
        sources = {name.split(">")[0] for name in self._strongest}
        words = f"weights from {', '.join(sorted(sources))}: a cell a synapse, dark is weak"
        return words if weights else f"{words} (not known yet)"


def panels_for(layout: Layout) -> list[Panel]:
    """Return the panels for the variables of a run."""
    panels: list[Panel] = [RasterPanel()] if layout.populations else []
    described: dict[Description, list[str]] = {}
    for name, variable in sorted(layout.variables.items()):
        if variable.panel is not None:
            described.setdefault(variable.panel, []).append(name)
    # Panels with a key first: rates, then the read-outs made of them.
    for panel, names in sorted(described.items(), key=lambda item: (not item[0].key, item[0].title)):
        panels.append(LinePanel(panel, tuple(names), layout))
    if layout.weights:
        panels.append(WeightPanel(layout))
    if not panels:
        for panel in (Description("action", low=-1.0, high=1.0), Description("reward")):
            if panel.title in layout.variables:
                panels.append(LinePanel(panel, (panel.title,), layout))
    return panels


def population_colors(layout: Layout) -> dict[str, Color]:
    """Return the colors in the raster of the populations without clusters."""
    groups = _groups(layout)
    return {
        population.name: _group_color(population, cluster, index)
        for index, (population, cluster, _) in enumerate(groups)
        if population.clusters == 1
    }


def _is_in_raster(variable: Variable, layout: Layout) -> bool:
    """Return True if the lines of a variable have the colors of clusters or populations."""
    names = {component.name for component in variable.components}
    if names:
        return names <= population_colors(layout).keys()
    n_clusters = {population.clusters for population in layout.populations} - {1}
    return bool(variable.shape) and variable.dims[-1] == "cluster" and variable.shape[-1] in n_clusters


def _named_lines(name: str, layout: Layout) -> list[tuple[str, Color]]:
    """Return name and color of each line of a variable."""
    variable, colors = layout.variables[name], population_colors(layout)
    n = int(np.prod(variable.shape))
    names = [component.name for component in variable.components]
    if len(names) != n:  # no names, or several dimensions
        names = [""] if n == 1 else [str(i) for i in range(n)]
    by_place = [SELECTED] if n == 1 else [COLORS[i % len(COLORS)] for i in range(n)]
    return [(line, colors.get(line, color)) for line, color in zip(names, by_place, strict=True)]


class _Group(NamedTuple):
    """Neurons that share a band of the raster."""

    label: str
    color: Color
    size: int


class _Rows(NamedTuple):
    """The order of neurons in the raster: the group of each neuron of an animal, and its place therein."""

    groups: list[_Group]
    group: NDArray[np.int64]
    place: NDArray[np.int64]


@dataclass(frozen=True)
class _Band:
    """Pixels top … top + height − 1 of the raster, for the neurons of a group."""

    label: str
    color: Color
    size: int
    top: int
    height: int


def _rows(layout: Layout, grouping: str) -> _Rows:
    """Return the order of neurons: by population and cluster, or by the values of a kind of label."""
    if grouping:
        names, group = np.unique(np.array(layout.labels[grouping]), return_inverse=True)
        sizes = np.bincount(group, minlength=len(names))
        groups = [
            _Group(str(name) or "no label", COLORS[index % len(COLORS)], int(sizes[index]))
            for index, name in enumerate(names)
        ]
    else:
        parts = _groups(layout)
        group = np.zeros(max((p.start + p.size for p in layout.populations), default=0), np.int64)
        for index, (population, cluster, size) in enumerate(parts):
            first = population.start + cluster * size
            group[first : first + size] = index
        groups = [
            _Group(_label(population, cluster), _group_color(population, cluster, index), size)
            for index, (population, cluster, size) in enumerate(parts)
        ]
    order = np.argsort(group, kind="stable")
    first_of = np.cumsum([0, *(group_.size for group_ in groups)])
    place = np.empty_like(group)
    place[order] = np.arange(len(group)) - first_of[group[order]]
    return _Rows(groups, group, place)


def _bands(groups: list[_Group], height_px: int, text_px: int) -> list[_Band]:
    """Divide the raster: heights go with sizes, but every name can be read if there is room for all."""
    sizes = np.array([group.size for group in groups], float)
    least = min(text_px * 0.85, height_px / len(groups))
    heights = least + (height_px - least * len(groups)) * sizes / sizes.sum()
    edges = np.concatenate(([0.0], np.cumsum(heights))).round().astype(int)
    return [
        _Band(*group, int(top), max(1, int(bottom - top)))
        for group, (top, bottom) in zip(groups, pairwise(edges), strict=True)
    ]


def _fired(
    rows: _Rows,
    bands: list[_Band],
    stride: int,
    x: NDArray[np.int64],
    neuron: NDArray[np.integer],
    size_px: tuple[int, int],
) -> NDArray[np.bool_]:
    """Return True for the pixels of spikes, shape (height, width)."""
    width, height = size_px
    top, tall, lines = (
        np.array(column)
        for column in zip(*((b.top, b.height, -(-b.size // stride)) for b in bands), strict=True)
    )
    group = rows.group[neuron]
    y = top[group] + 1 + (rows.place[neuron] // stride * (tall[group] - 1)) // lines[group]
    fired = np.zeros((height, width), bool)
    fired[np.minimum(y, height - 1), x] = True
    for band, line_px in zip(bands, (tall - 2) // lines, strict=True):
        # Rows of neurons are thicker than a pixel where there is room.
        here = fired[band.top + 1 : band.top + band.height]
        first = here.copy()
        for thickness in range(1, min(THICKEST_PX, int(line_px))):
            here[thickness:] |= first[:-thickness]
    return fired


def _raster(bands: list[_Band], fired: NDArray[np.bool_]) -> pygame.Surface:
    """Return the picture of a raster: a color for each band, and a line above it."""
    colors = [PANEL, mixed(PANEL, LINE, 0.5), *dict.fromkeys(band.color for band in bands)]
    empty, full = np.zeros((2, len(fired), 1), np.uint8)
    for band in bands:
        empty[band.top : band.top + 1] = 1
        full[band.top : band.top + band.height] = colors.index(band.color, 2)
    pixels = np.where(fired, full, empty)
    picture = pygame.image.frombuffer(pixels.tobytes(), fired.shape[::-1], "P")
    picture.set_palette(colors)
    return picture


def _groups(layout: Layout) -> list[tuple[PopulationLayout, int, int]]:
    """Return population, cluster and size of each band of the raster."""
    return [(p, cluster, p.size // p.clusters) for p in layout.populations for cluster in range(p.clusters)]


def _label(population: PopulationLayout, cluster: int) -> str:
    return population.name if population.clusters == 1 else f"{population.name} {cluster}"


def _group_color(population: PopulationLayout, cluster: int, index: int) -> Color:
    """Return the color of a cluster within its population, or of a population among all."""
    if population.clusters > 1:
        return COLORS[cluster % len(COLORS)]
    return COLORS[index % len(COLORS)]


def _strip(shares: NDArray[np.float64], size_px: tuple[int, int]) -> pygame.Surface:
    """Return a row of cells in the colors of shares 0 … 1."""
    scale = np.clip(shares, 0.0, 1.0) * (len(CIVIDIS) - 1)
    colors = np.stack([np.interp(scale, np.arange(len(CIVIDIS)), CIVIDIS[:, i]) for i in range(3)], axis=1)
    column = (np.arange(size_px[0]) * len(shares)) // size_px[0]
    pixels = np.repeat(colors[column].astype(np.uint8)[:, None], max(1, size_px[1]), axis=1)
    return pygame.surfarray.make_surface(pixels)


def _running_mean(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    summed = np.cumsum(np.concatenate((np.zeros((1, values.shape[1])), values)), axis=0)
    return np.asarray((summed[n:] - summed[:-n]) / n)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9)))


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
