"""The animal that a simulation stands for, as archives of recordings ask for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ethospike.errors import RecordingError
from ethospike.shown import Shown

SEXES = ("M", "F", "U", "O")
"""Male, female, unknown, other; the letters of NWB and DANDI."""
_DURATION = r"P(?=\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?"
_AGE = re.compile(rf"{_DURATION}(/({_DURATION})?)?")
_SPECIES = re.compile(r"[A-Z][a-z]+ [a-z]+|http://purl\.obolibrary\.org/obo/NCBITaxon_\d+")


@dataclass(frozen=True)
class Subject(Shown):
    """The animal that a simulation stands for.

    Raises
    ------
    RecordingError
        When an entry is not of the form that archives take.

    Examples
    --------
    >>> Subject("Drosophila melanogaster", age="P5D").sex
    'U'
    """

    species: str = ""
    """Latin name of two words, or the address of an NCBI taxon; empty if the model stands for no species."""
    sex: str = "U"
    """M, F, U (unknown) or O (other)."""
    age: str = ""
    """Duration of ISO 8601 (P5D: five days), or a range of two (P4Y/P6Y, P4Y/); empty if there is none."""
    strain: str = ""
    """Strain or genotype; empty if the model stands for none."""

    def __post_init__(self) -> None:
        if self.species and not _SPECIES.fullmatch(self.species):
            raise RecordingError(
                f"subject.species: expected a Latin name such as 'Drosophila melanogaster', "
                f"got {self.species!r}"
            )
        if self.sex not in SEXES:
            raise RecordingError(f"subject.sex: expected one of {', '.join(SEXES)}, got {self.sex!r}")
        if self.age and not _AGE.fullmatch(self.age):
            raise RecordingError(f"subject.age: expected a duration such as P5D or P4Y/P6Y, got {self.age!r}")
