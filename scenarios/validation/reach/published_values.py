"""Published values of Rostami et al. 2024 (Nat Commun 15:6304), model and monkey, by number of cued targets.

The values are digitized from the vector paths of the figures in the authors' repository (ClusteredNetwork_pub
at 6e7a107, fig5.pdf and fig6.pdf). Times count from the preparatory signal unless stated otherwise.
"""

from __future__ import annotations

CONDITIONS = ("1", "2", "3")

# -- Fig 5: one network, 150 trials a condition -----------------------------------------------------------

RATE_HZ = {"1": 18.9, "2": 18.2, "3": 13.5}
"""Rate of the selected pairs (Hz), 500 ms after the preparatory signal."""
RATE_BEFORE_HZ = 6.8
CV2 = {"1": 0.68, "2": 0.65, "3": 0.70}
"""CV2 at 500 ms."""
CV2_BEFORE = 0.74
FANO_CHANGE = {"1": -1.06, "2": -0.50, "3": -0.03}
"""Change of the Fano factor at 500 ms."""
FIG5_MS = (-50, 50, 200, 500, 800, 950, 1100, 1200)
"""Centers of the windows of the following two time courses."""
DECODING_COURSE = {
    "1": (0.42, 0.76, 0.95, 0.99, 0.98, 0.99, 0.99, 1.00),
    "2": (0.36, 0.46, 0.56, 0.52, 0.53, 0.70, 0.91, 0.97),
    "3": (0.32, 0.33, 0.29, 0.29, 0.28, 0.59, 0.94, 0.98),
}
FANO_COURSE = {
    "1": (-0.35, -0.60, -0.82, -1.06, -0.99, -0.99, -0.99, -0.98),
    "2": (-0.26, -0.27, -0.28, -0.50, -0.74, -0.73, -0.70, -0.72),
    "3": (0.11, 0.13, 0.09, -0.03, -0.02, 0.05, -0.19, -0.26),
}
DECODING = {condition: course[FIG5_MS.index(500)] for condition, course in DECODING_COURSE.items()}

# -- Fig 6: one network, 2000 trials a condition ----------------------------------------------------------

THRESHOLD = 0.87
"""Share at which a direction wins (dashed lines of Fig 6a)."""
TRIALS = 2000
CORRECT = {"1": 351, "2": 217, "3": 218}
"""Correct decisions within 500 ms in 2000 trials: bars of Fig 6b are multiples of 1/351, 1/217 and 1/218."""
MEDIAN_MS = {"1": 159, "2": 251, "3": 261}
MEAN_MS = {"1": 171, "2": 240, "3": 261}
SD_MS = {"1": 123, "2": 108, "3": 98}
FIRST_BIN = {"1": 0.18, "2": 0.04, "3": 0.00}
"""Share of the correct decisions in the first bin, 0 to 36 ms."""
MONKEY_MS = {"1": 144, "2": 194, "3": 201}
"""Median reaction times of a monkey (ms)."""
