"""What can go wrong, as exceptions."""

from __future__ import annotations

from dataclasses import dataclass, field


class Error(Exception):
    """All errors of Sinter."""


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a model from compiling."""

    kind: str  #: "error": the model is wrong; "unsupported": it is right; "internal error": Sinter is wrong
    id: str  #: a stable name to search for, as "onnx.operator"
    message: str  #: what happened, with the expected and the given values
    places: list[str] = field(default_factory=list)  #: nodes, layers, files; innermost first
    remedy: str | None = None  #: what to do about it
    output: str | None = None  #: what another program said

    @property
    def node(self) -> str | None:
        """The innermost place, where there is one."""
        return self.places[0] if self.places else None

    def __str__(self) -> str:
        where = f" ({', '.join(self.places)})" if self.places else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        output = f"\n{self.output}" if self.output else ""
        return f"{self.kind}: {self.message}{where}{remedy}{output}"


class CompileError(Error):
    """A model cannot be compiled, read or written. All reasons that were found are in `problems`."""

    def __init__(self, problems: list[Problem]):
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class RunError(Error, RuntimeError):
    """A compiled library refused to open or to run. `status` is a SinterStatus of sinter.h."""

    status = 0


class InvalidArgumentError(RunError, ValueError):
    """The wrong kind, element type, rank or device."""

    status = 1


class ShapeMismatchError(RunError, ValueError):
    """A dimension differs from what the model allows."""

    status = 2


class OutOfMemoryError(RunError, MemoryError):
    """There is not enough memory for a run."""

    status = 3


class BusyError(RunError):
    """The session is inside a run already. A `Model` opens another session instead."""

    status = 4


class UnsupportedCPUError(RunError):
    """The library was built for instructions that this processor lacks."""

    status = 5


class DataError(RunError):
    """The data made an operator fail: an index out of range, say."""

    status = 6


_BY_STATUS = {error.status: error for error in RunError.__subclasses__()}


def of_status(status: int, message: str) -> RunError:
    """The exception of a status that is not SINTER_OK."""
    return _BY_STATUS.get(status, RunError)(message)
