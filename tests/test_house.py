"""The rules of the house, each shown to find a planted violation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import house_rules
import pytest
from places import ROOT

Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    house_rules.circles,
    house_rules.upward_arrows,
    house_rules.busy_doors,
    house_rules.crowded_folders,
    house_rules.long_files,
    house_rules.long_functions,
    house_rules.crowded_functions,
    house_rules.riddles,
    house_rules.vague_names,
    house_rules.unnamed_encodings,
)
PLANTED: dict[Rule, dict[str, str]] = {
    house_rules.circles: {
        "envs/a.py": "def f():\n    from ethospike.envs import b\n",
        "envs/b.py": "from ethospike.envs.a import f\n",
    },
    house_rules.upward_arrows: {
        "envs/checks.py": "from ethospike.envs.task_env import x\n",
        "envs/task_env.py": "x = 1\n",
    },
    house_rules.busy_doors: {"envs/__init__.py": "def f(): ...\n"},
    house_rules.crowded_folders: {f"envs/a{i}.py": "" for i in range(13)},
    house_rules.long_files: {"envs/a.py": "x = 1\n" * 601},
    house_rules.long_functions: {"envs/a.py": "def f():\n" + "    x = 1\n" * 60},
    house_rules.crowded_functions: {"envs/a.py": "def f(a, b, c, d, e, f, g, h, i): ...\n"},
    house_rules.riddles: {"envs/a.py": '"""What a file holds."""\n'},
    house_rules.vague_names: {"envs/a.py": "found = [one for one in range(3)]\n"},
    house_rules.unnamed_encodings: {"envs/a.py": "from pathlib import Path\nPath('x').read_text()\n"},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule: Rule) -> None:
    assert len(house_rules.files(ROOT)) > 100
    offenders = rule(ROOT)
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_planted_violation_is_found(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "window.py").write_text('"""A file."""\n')
    assert rule(tmp_path) == []
    for name, text in PLANTED[rule].items():
        (tmp_path / name).write_text(text)
    assert rule(tmp_path)
