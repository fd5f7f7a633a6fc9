"""Folders that tests read from, and the patience of tests with other processes."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
HELPERS = ROOT / "tests" / "helpers"
STRESS = ROOT / "tests" / "stress"

PATIENCE_S = 900.0
"""Wall time after which a test takes another process for hung (s), far above any that works: with twenty
processes on two cores, a command that starts in 20 s of processor time needed more than 240 s."""
