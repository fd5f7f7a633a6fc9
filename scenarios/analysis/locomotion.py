"""Measures of a larva's path and posture: speed, strides, turning, bend, straightness, dispersal, loops.

The same functions measure model larvae and tracked ones. Tracks are smoothed by the low-pass filter that
larvaworld (Sakagiannis et al.; github.com/nawrotlab/larvaworld, `filter_f`) applies to tracks of a
laboratory, sampled every 100 ms, and cut where the animal was not seen or was near the wall: a wall turns
larvae, and these measures describe spontaneous movement.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM

CUTOFF_HZ = 2.0
"""Corner of the low-pass filter, first order, forwards and backwards: larvaworld's for tracked larvae."""
STEP_S = 0.1
"""Interval at which tracks are measured: larvaworld's time step. Finer tracks are thinned, coarser ones
interpolated, so that a larva has the same measures whatever the frame rate or the control interval."""
WALL_MM = 10.0
"""Distance from the wall (mm) below which frames are dropped; two and a half body lengths. Chosen here."""
CRAWLING_PER_S = 0.1
"""Speed (body lengths/s) above which a larva crawls; a third of the mean. Chosen here."""
STRIDE_HZ = (0.75, 2.5)
"""Range of the peak of the spectrum of speed. Chosen here: strides of larvae are near 1.4 Hz."""
SPECTRUM_S = 20.0
"""Length of the windows of the spectrum; its resolution is 0.05 Hz."""
STRIDE_S = 0.7
"""Time over which the direction of a path is taken: a stride, within which the body wriggles."""
STRAIGHTNESS_S = (5, 20)
DISPLACEMENT_S = (20, 40, 60)
"""Lengths of the windows of straightness and displacement (s)."""
REVERSAL_RAD = math.radians(10.0)
"""Angle by which a path must turn back for a reversal; trackers see smaller angles in straight paths."""
RESAMPLES = 200
"""Bootstrap resamples; the ends of the intervals then vary by a tenth of their width."""
LOOP_S = 10.0
"""Time within which a turn of the path by 360 degrees is a loop."""
SHORTEST_S = 1.0
"""Shortest stretch that is measured: the filter needs a beginning and an end."""


@dataclass(frozen=True)
class Track:
    """The path and the posture of an animal, NaN where it was not seen.

    Parameters
    ----------
    interval_s : float
        Time from a sample to the next.
    centroid_mm : ndarray, shape (samples, 2)
        Middle of the body, from the center of the dish.
    heading_rad : ndarray, shape (samples,)
        Direction of the front of the body, counter-clockwise from x.
    bend_rad : ndarray, shape (samples,)
        Heading minus the direction of the rear of the body, positive to the left.
    length_mm : float
        Length of the body.
    """

    interval_s: float
    centroid_mm: NDArray[np.floating]
    heading_rad: NDArray[np.floating]
    bend_rad: NDArray[np.floating]
    length_mm: float = BODY_LENGTH_MM


@dataclass(frozen=True)
class Stretch:
    """A part of a track without gaps, smoothed, a sample every `STEP_S`.

    Parameters
    ----------
    path : ndarray, shape (samples, 2)
        Middle of the body in body lengths.
    heading_rad, bend_rad : ndarray, shape (samples,)
        The heading is not wrapped.
    length_mm : float
    """

    path: NDArray[np.float64]
    heading_rad: NDArray[np.float64]
    bend_rad: NDArray[np.float64]
    length_mm: float

    @property
    def velocity(self) -> NDArray[np.float64]:
        """Velocity of the middle (body lengths/s), shape (samples, 2)."""
        velocity: NDArray[np.float64] = np.gradient(self.path, STEP_S, axis=0)
        return velocity

    @property
    def speed(self) -> NDArray[np.float64]:
        """Speed of the middle (body lengths/s), shape (samples,)."""
        speed: NDArray[np.float64] = np.hypot(*self.velocity.T)
        return speed

    def path_direction(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the samples at which the animal crawls, and the unwrapped direction (rad) of its path."""
        ahead = round(STRIDE_S / STEP_S)
        if len(self.path) <= ahead:
            return np.empty(0, np.int64), np.empty(0)
        x, y = (self.path[ahead:] - self.path[:-ahead]).T
        crawling = np.flatnonzero(np.hypot(x, y) > CRAWLING_PER_S * STRIDE_S)
        return crawling, np.unwrap(np.arctan2(y[crawling], x[crawling]))


def stretches(track: Track, dish_radius_mm: float = math.inf) -> list[Stretch]:
    """Return the measured parts of a track: those with a visible larva far from the wall.

    Parameters
    ----------
    track : Track
    dish_radius_mm : float
        The wall of a round dish; infinite without one.
    """
    columns = np.column_stack((track.centroid_mm, track.heading_rad, track.bend_rad)).astype(float)
    parts = []
    for begin, end in _runs(np.isfinite(columns).all(axis=1)):
        seen = columns[begin:end]
        if (len(seen) - 1) * track.interval_s < SHORTEST_S:
            continue
        seen[:, 2:] = np.unwrap(seen[:, 2:], axis=0)
        smooth = _resampled(_smoothed(seen, track.interval_s), track.interval_s)
        smooth[:, 3] = np.arctan2(np.sin(smooth[:, 3]), np.cos(smooth[:, 3]))  # a bend is never more than π
        inside = np.hypot(smooth[:, 0], smooth[:, 1]) < dish_radius_mm - WALL_MM
        for first, last in _runs(inside):
            if (last - first - 1) * STEP_S >= SHORTEST_S:
                part = smooth[first:last]
                parts.append(Stretch(part[:, :2] / track.length_mm, part[:, 2], part[:, 3], track.length_mm))
    return parts


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return begin and end of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _smoothed(columns: NDArray[np.float64], interval_s: float) -> NDArray[np.float64]:
    """Return columns without frequencies above `CUTOFF_HZ`."""
    from scipy import signal

    sections = signal.butter(1, CUTOFF_HZ, fs=1.0 / interval_s, output="sos")
    smooth: NDArray[np.float64] = signal.sosfiltfilt(
        sections, columns, axis=0, padlen=min(9, len(columns) - 1)
    )
    return smooth


def _resampled(columns: NDArray[np.float64], interval_s: float) -> NDArray[np.float64]:
    """Return columns at every `STEP_S`."""
    time_s = np.arange(len(columns)) * interval_s
    wanted_s = np.arange(math.floor(time_s[-1] / STEP_S + 1e-9) + 1) * STEP_S
    return np.column_stack([np.interp(wanted_s, time_s, column) for column in columns.T])


# -- samples of a stretch -----------------------------------------------------------------------------------


def straightness(stretch: Stretch, window_s: float) -> NDArray[np.float64]:
    """Return displacement / length of the path for every window of `window_s`; 1 is straight ahead."""
    n = round(window_s / STEP_S)
    if len(stretch.path) <= n:
        return np.empty(0)
    travelled = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(stretch.path, axis=0).T))))
    length = travelled[n:] - travelled[:-n]
    displacement = np.hypot(*(stretch.path[n:] - stretch.path[:-n]).T)
    ratio: NDArray[np.float64] = np.divide(displacement, length, out=np.ones(len(length)), where=length > 0)
    return ratio


def displacement_mm(stretch: Stretch, window_s: float) -> NDArray[np.float64]:
    """Return the displacement (mm) over every window of `window_s`."""
    n = round(window_s / STEP_S)
    if len(stretch.path) <= n:
        return np.empty(0)
    displacement: NDArray[np.float64] = np.hypot(*(stretch.path[n:] - stretch.path[:-n]).T)
    return displacement * stretch.length_mm


def angular_velocity_deg_s(stretch: Stretch) -> NDArray[np.float64]:
    """Return the angular velocity of the front of the body (deg/s)."""
    velocity: NDArray[np.float64] = np.degrees(np.gradient(stretch.heading_rad, STEP_S))
    return velocity


def curvature_deg_mm(stretch: Stretch) -> NDArray[np.float64]:
    """Return the curvature of the path (deg/mm) at neighboring samples at which the animal crawls."""
    crawling, direction = stretch.path_direction()
    following = np.diff(crawling) == 1
    turned = np.degrees(np.diff(direction)[following])
    moved_mm = np.hypot(*np.diff(stretch.path, axis=0).T)[crawling[:-1][following]] * stretch.length_mm
    curvature: NDArray[np.float64]
    curvature = np.divide(turned, moved_mm, out=np.zeros(len(turned)), where=moved_mm > 0)
    return curvature


def count_reversals(direction_rad: NDArray[np.float64], least_rad: float = REVERSAL_RAD) -> int:
    """Count the turns of a direction back by at least `least_rad` from its last extreme."""
    reversals, side = 0, 0
    low = high = float(direction_rad[0]) if len(direction_rad) else 0.0
    for angle in direction_rad.tolist():
        low, high = min(low, angle), max(high, angle)
        if side >= 0 and high - angle >= least_rad:
            reversals, side, low = reversals + side, -1, angle
        elif side <= 0 and angle - low >= least_rad:
            reversals, side, high = reversals - side, 1, angle
    return reversals


def count_loops(direction_rad: NDArray[np.float64], time_s: NDArray[np.floating]) -> int:
    """Count the turns of a direction by 360 degrees within `LOOP_S`.

    Parameters
    ----------
    direction_rad : ndarray, shape (samples,)
        Unwrapped.
    time_s : ndarray, shape (samples,)
    """
    loops, begin = 0, 0
    if not len(direction_rad) or np.ptp(direction_rad) < 2.0 * np.pi:
        return loops
    for now in range(len(direction_rad)):
        begin = max(begin, int(np.searchsorted(time_s, time_s[now] - LOOP_S)))
        since = direction_rad[begin : now + 1]
        if np.abs(direction_rad[now] - since).max() >= 2.0 * np.pi:
            loops, begin = loops + 1, now
    return loops


def speed_spectra(stretch: Stretch) -> NDArray[np.float64]:
    """Return power spectra of the speed, shape (windows, frequencies), of half overlapping `SPECTRUM_S`."""
    n = round(SPECTRUM_S / STEP_S)
    if len(stretch.path) < n:
        return np.empty((0, n // 2 + 1))
    windows = np.lib.stride_tricks.sliding_window_view(stretch.speed, n)[:: n // 2]
    deviation = windows - windows.mean(axis=1, keepdims=True)
    spectra: NDArray[np.float64] = np.abs(np.fft.rfft(deviation * np.hanning(n))) ** 2
    return spectra


# -- measures of a group ------------------------------------------------------------------------------------

Samples = Mapping[str, NDArray[np.float64]]
"""Samples of an animal, or of several animals, by name."""


def samples_of(track: Track, dish_radius_mm: float = math.inf) -> Samples:
    """Return the samples of a track; the figures show their distributions."""
    parts = stretches(track, dish_radius_mm)

    def joined(sample: Callable[[Stretch], NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate([sample(part) for part in parts] or [np.empty(0)])

    directions = [part.path_direction() for part in parts]
    headings = [(np.arange(len(part.heading_rad)) * STEP_S, part.heading_rad) for part in parts]
    spectra = [speed_spectra(part) for part in parts] or [np.empty((0, round(SPECTRUM_S / STEP_S) // 2 + 1))]
    return {
        "speed_per_s": joined(lambda part: part.speed),
        "angular_velocity_deg_s": joined(angular_velocity_deg_s),
        "bend_deg": joined(lambda part: np.degrees(part.bend_rad)),
        "curvature_deg_mm": joined(curvature_deg_mm),
        **{f"straightness_{s}_s": joined(partial(straightness, window_s=s)) for s in STRAIGHTNESS_S},
        **{f"displacement_{s}_s_mm": joined(partial(displacement_mm, window_s=s)) for s in DISPLACEMENT_S},
        "spectra": np.concatenate(spectra),
        "seconds": np.array([sum(len(part.path) for part in parts) * STEP_S]),
        "crawled_s": np.array([sum(len(crawling) for crawling, _ in directions) * STEP_S]),
        "reversals": _total([count_reversals(turning) for _, turning in directions]),
        "loops": _total([count_loops(turning, sample * STEP_S) for sample, turning in directions]),
        "heading_loops": _total([count_loops(turning, time_s) for time_s, turning in headings]),
    }


def _total(counts: Sequence[int]) -> NDArray[np.float64]:
    return np.array([float(sum(counts))])


def _mean(name: str) -> Callable[[Samples], float]:
    return lambda samples: float(np.abs(samples[name]).mean())


def _tortuosity(window_s: int) -> Callable[[Samples], float]:
    return lambda samples: float(1.0 - samples[f"straightness_{window_s}_s"].mean())


def _percentile(name: str, percent: float) -> Callable[[Samples], float]:
    return lambda samples: float(np.percentile(np.abs(samples[name]), percent))


def _rate(name: str, over: str, per_s: float) -> Callable[[Samples], float]:
    return lambda samples: float(samples[name].sum() / samples[over].sum() * per_s)


def _stride_hz(samples: Samples) -> float:
    frequency = np.fft.rfftfreq(round(SPECTRUM_S / STEP_S), STEP_S)
    among = (frequency >= STRIDE_HZ[0]) & (frequency <= STRIDE_HZ[1])
    if not len(samples["spectra"]):
        return math.nan
    return float(frequency[among][samples["spectra"].mean(axis=0)[among].argmax()])


MEASURES: Mapping[str, Callable[[Samples], float]] = {
    "speed_per_s": _mean("speed_per_s"),
    "slow_share": lambda samples: float(np.mean(samples["speed_per_s"] < CRAWLING_PER_S)),
    "stride_hz": _stride_hz,
    "angular_velocity_deg_s": _mean("angular_velocity_deg_s"),
    "angular_velocity_95_deg_s": _percentile("angular_velocity_deg_s", 95.0),
    "bend_deg": _mean("bend_deg"),
    "bend_95_deg": _percentile("bend_deg", 95.0),
    **{f"straightness_{s}_s": _mean(f"straightness_{s}_s") for s in STRAIGHTNESS_S},
    **{f"tortuosity_{s}_s": _tortuosity(s) for s in STRAIGHTNESS_S},
    **{f"displacement_{s}_s_mm": _mean(f"displacement_{s}_s_mm") for s in DISPLACEMENT_S},
    "curvature_deg_mm": _percentile("curvature_deg_mm", 50.0),
    "reversals_per_s": _rate("reversals", "crawled_s", 1.0),
    "loops_per_min": _rate("loops", "seconds", 60.0),
    "heading_loops_per_min": _rate("heading_loops", "seconds", 60.0),
}
"""Measures of a group: of the samples of all its animals together, as absolute values. Speed is in body
lengths/s; `slow_share` is the share of time below `CRAWLING_PER_S`; `_95` is the 95th percentile; tortuosity
is 1 − straightness; curvature is the median; reversals are those of the direction of the path, by
`REVERSAL_RAD`."""


def pooled(samples: Sequence[Samples]) -> Samples:
    """Return the samples of several animals together."""
    return {name: np.concatenate([animal[name] for animal in samples]) for name in samples[0]}


def measure(samples: Sequence[Samples], *, resamples: int = RESAMPLES) -> dict[str, dict[str, float]]:
    """Return the measures of a group.

    Parameters
    ----------
    samples : sequence of Samples
        The samples of each animal.
    resamples : int
        Groups drawn with replacement from the animals, for the interval; 0 gives no interval.

    Returns
    -------
    dict
        Each measure as `{"value", "low", "high"}`: of all samples together, and the 95 % percentile interval
        of a bootstrap over animals. A measure without samples, of tracks that are too short, is left out.
    """
    whole = pooled(samples)
    # Neighbors in time are nearly equal: every fourth sample has the same spread between groups, sooner.
    thinned = [
        {name: values[::4] if len(values) > 40 else values for name, values in s.items()} for s in samples
    ]
    rng = np.random.default_rng(0)
    n, n_groups = len(samples), resamples if len(samples) > 1 else 0
    groups = [pooled([thinned[i] for i in rng.integers(n, size=n)]) for _ in range(n_groups)]
    estimates = {}
    for name, compute in MEASURES.items():
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # means of empty arrays
            value = _computed(compute, whole)
            spread = [each for each in (_computed(compute, group) for group in groups) if math.isfinite(each)]
        if math.isfinite(value):
            estimates[name] = {"value": value}
            if spread:
                low, high = np.percentile(spread, (2.5, 97.5))
                estimates[name] |= {"low": float(low), "high": float(high)}
    return estimates


def _computed(compute: Callable[[Samples], float], samples: Samples) -> float:
    try:
        return compute(samples)
    except (IndexError, ValueError):  # percentiles of empty arrays
        return math.nan
