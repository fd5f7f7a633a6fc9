"""The errors and warnings of this package, and a helper that suggests valid names.

Every error that a user or a machine can cause derives from `EthospikeError`, and its message gives the
expected and the given value, and a remedy. Anything else that is raised is a bug.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from functools import cache


class EthospikeError(Exception):
    """Base class of the errors that have a message for the user."""


class StateError(EthospikeError, ValueError):
    """A saved state that does not match the object that is to continue from it."""


class EnvError(EthospikeError, ValueError):
    """A configuration, an action or a call that does not fit the environment."""


class BrainError(EthospikeError, ValueError):
    """A description, a stimulus or a setting that no simulator could run."""


class NotFiniteError(BrainError, FloatingPointError):
    """A membrane potential or a synaptic input that is no longer a finite number."""


class SimulatorNotInstalled(EthospikeError, ImportError):
    """The requested simulator is absent; the message says how to install it."""


class SimulatorUnavailable(EthospikeError, RuntimeError):
    """The simulator cannot do this now: closed, busy, or lacking the capability."""


class AgentError(EthospikeError, ValueError):
    """An observation, an action or a setting that does not fit the agent."""


class RecordingError(EthospikeError, RuntimeError):
    """A recording that cannot be written or read."""


class NotRecorded(RecordingError):
    """Data were requested that the recording does not hold, by the choice of `RecorderConfig`."""


class ViewError(RecordingError):
    """A view, a replay or a film that cannot be shown or written."""


class AnalysisNotInstalled(EthospikeError, ImportError):
    """An optional analysis package is absent; the message says how to install it."""


class ScenarioError(EthospikeError, ValueError):
    """A scenario or a configuration that does not fit."""


class ArmError(ScenarioError):
    """A control arm that does not fit the scenario, or that touched nothing."""


class RunFolderError(EthospikeError, RuntimeError):
    """A run folder that cannot be made, read or continued."""


class SweepNotInstalled(EthospikeError, ImportError):
    """An optional package for sweeps is absent; the message says how to install it."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `did you mean 'x'?` or the list of valid names, for the end of an error message.

    Examples
    --------
    >>> nearest("nset", ["nest", "numba"])
    "did you mean 'nest'?"
    """
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid) or 'none'}"


@cache
def tell_once(text: str) -> None:
    """Print a warning on stderr, once in a process."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
