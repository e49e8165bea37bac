"""What understudy raises. Each message is for a person: where, what is wrong, what to do next."""

from __future__ import annotations


class UnderstudyError(Exception):
    """Base of every refusal.

    Parameters
    ----------
    what:
        What is wrong, one sentence, with the values that matter.
    where:
        Shot, frame, file or row, as a person would say it: ``"shot sh010, frame 1033"``.
    fix:
        The next step: a command, an edit, a choice of allowed values.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"\n  -> {self.fix}" if self.fix else ""
        return f"{place}{self.what}{remedy}"


class ConfigError(UnderstudyError):
    """Configuration, shot list, look, talent or override file that cannot be used."""


class ClearanceError(UnderstudyError):
    """A talent may not be used: no clearance covers the shot."""


class LicenceError(UnderstudyError):
    """Weights that may not be used for the purpose of the run."""


class PlateError(UnderstudyError):
    """A plate, a talent picture or a roto sequence that is missing, damaged or not supported."""


class ModelError(UnderstudyError):
    """Weights that are missing, damaged, or do not fit their card."""


class FaceError(UnderstudyError):
    """A face that should be there is not, or cannot be told from another."""


class DeliverableError(UnderstudyError):
    """Something we made, or were about to make, does not hold."""
