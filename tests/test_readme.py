"""The README's Python runs as it stands, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethospike.scenarios.__main__ import app

README = (Path(__file__).parents[1] / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
SHELL = "".join(re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL))


def test_the_agent_loops_run() -> None:
    """The blocks build on each other, as a reader would type them."""
    loops = [block for block in PYTHON if "env.step" in block]
    assert len(loops) == 2
    names: dict[str, object] = {}
    for block in loops:
        exec(block, names)
    assert names["info"]
    assert names["decision"].action.shape == (2,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^ethospike (\w+)", SHELL, flags=re.MULTILINE))))
def test_the_commands_exist(command: str) -> None:
    assert command in set(app)
