"""What a library takes or gives at one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from . import abi, dtypes

#: A number, the name of a size ("batch"), or None where only a run tells.
Dimension = Union[int, str, None]


@dataclass(frozen=True)
class Port:
    name: str
    kind: str  #: "tensor", "sequence" or "map"
    optional: bool  #: whether None may be passed
    dtype: Optional[str]  #: "float32", "text"; of a tensor, or of a sequence's tensors
    shape: Optional[tuple[Dimension, ...]]  #: None where the rank is not known ahead of time
    elements: tuple["Port", ...] = ()  #: of a sequence its elements; of a map keys and values

    @property
    def numpy_dtype(self):
        """NumPy's type of `dtype`; that of objects for text."""
        return dtypes._BY_NAME[self.dtype].numpy

    @property
    def type(self) -> str:
        """`float32[batch, 3]`, `sequence(float32[?])`, `map(text, float32)`, with a question mark where None may be passed."""
        if self.kind == "tensor":
            text = f"{self.dtype}{_sizes(self.shape)}"
        elif self.kind == "map":
            text = f"map({', '.join(part.type.split('[')[0] for part in self.elements)})"
        else:
            text = f"sequence({self.elements[0].type if self.elements else self.dtype})"
        return text + ("?" if self.optional else "")

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"


def _sizes(shape) -> str:
    if shape is None:
        return ""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def describe(port: abi.PortDescription) -> Port:
    """A port of a library's table."""
    shape = None
    if port.ndim >= 0:
        shape = tuple(_dimension(port, axis) for axis in range(port.ndim))
    count = {abi.TENSOR: 0, abi.SEQUENCE: 1, abi.MAP: 2}[port.kind] if port.elements else 0
    return Port(
        name=port.name.decode() if port.name else "",
        kind=("none", "tensor", "sequence", "map")[port.kind],
        optional=bool(port.optional),
        dtype=None if port.kind == abi.MAP or port.dtype.bits == 0 else dtypes.of_code(port.dtype.code, port.dtype.bits).name,
        shape=shape,
        elements=tuple(describe(port.elements[i]) for i in range(count)),
    )


def _dimension(port: abi.PortDescription, axis: int) -> Dimension:
    if port.shape[axis] >= 0:
        return port.shape[axis]
    name = port.dimension[axis] if port.dimension else None
    return name.decode() if name else None
