"""Another recording, whose streams an animal gets step for step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import ArmError, NotRecorded, RecordingError
from ethospike.recorders.recording import Recording, open_recording
from ethospike.scenarios.arms.arm import GROUP


@dataclass(frozen=True)
class Partner:
    """The animals of another recording; animal i gets the stream of animal i + shift, counted in a circle.

    Parameters
    ----------
    arm : str
        Name of the arm, for messages.
    path : Path
        The other run.
    animals : int
        Of this run.
    control_interval_ms : float
        Of this run.
    shift : int
    """

    arm: str
    path: Path
    animals: int
    control_interval_ms: float
    shift: int = 0

    @cached_property
    def recording(self) -> Recording:
        """The other recording.

        Raises
        ------
        ArmError
            When there is none, or it has another control interval or too few animals.
        """
        if str(self.path).startswith(GROUP):
            raise ArmError(
                f"arm {self.arm}: {self.path} stands for a group of an experiment (docs/experiments.md); "
                f"expected the folder of a run"
            )
        try:
            recording = open_recording(self.path)
        except RecordingError as error:
            raise ArmError(f"arm {self.arm}: {error}") from error
        interval_ms = recording.layout.control_interval_ms
        if interval_ms != self.control_interval_ms:
            raise ArmError(
                f"arm {self.arm}: expected a recording with the control interval of this run, "
                f"{self.control_interval_ms:g} ms, got {interval_ms:g} ms in {self.path}"
            )
        if recording.animals < self.animals:
            raise ArmError(
                f"arm {self.arm}: expected a recording of at least {self.animals} animals, got "
                f"{recording.animals} in {self.path}"
            )
        return recording

    @property
    def members(self) -> list[int]:
        """The animal of the other recording that each animal is yoked to."""
        return [(animal + self.shift) % self.recording.animals for animal in range(self.animals)]

    def stream(self, variable: str, entries: tuple[int, ...]) -> NDArray[Any]:
        """Return a recorded variable of the partners, shape (control steps, animals, …).

        Raises
        ------
        ArmError
            When it was not recorded, or has another shape than here.
        """
        try:
            recorded = self.recording.variable(variable)
        except NotRecorded as error:
            raise ArmError(f"arm {self.arm}: {error}") from error
        if recorded.shape[2:] != entries:
            raise ArmError(
                f"arm {self.arm}: expected {variable} of {entries or 'one'} numbers an animal, got "
                f"{recorded.shape[2:] or 'one'} in {self.path}"
            )
        return np.ascontiguousarray(recorded.values[:, self.members])

    def row(self, stream: NDArray[Any], control_step: int) -> NDArray[Any]:
        """Return the partners' numbers of a control step.

        Raises
        ------
        ArmError
            When the other recording is shorter.
        """
        if control_step >= len(stream):
            raise ArmError(
                f"arm {self.arm}: {self.path} has {len(stream)} control steps, and this run goes on; choose "
                f"a recording that is as long, or a shorter run"
            )
        return np.asarray(stream[control_step])
