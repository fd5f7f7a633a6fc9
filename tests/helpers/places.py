"""Folders that tests read from."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
HELPERS = ROOT / "tests" / "helpers"
STRESS = ROOT / "tests" / "stress"
