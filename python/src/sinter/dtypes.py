"""Element types: DLPack's numbers, ONNX's names as Sinter prints them, and NumPy's types.

What NumPy lacks (bfloat16 and everything narrower) is of the package ml_dtypes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import abi


@dataclass(frozen=True)
class ElementType:
    name: str  #: "float32"
    code: int  #: DLPack's
    bits: int

    @property
    def is_text(self) -> bool:
        return self.code == abi.STRING_CODE

    @property
    def is_packed(self) -> bool:
        """Several elements share a byte."""
        return self.bits < 8

    @property
    def numpy(self) -> np.dtype:
        """NumPy's type; an object for text. ImportError where ml_dtypes has it and is not installed."""
        dtype = _numpy.get(self)
        if dtype is None:
            dtype = _numpy[self] = np.dtype(object) if self.is_text else _lookup(self.name)
        return dtype

    @property
    def storage(self) -> np.dtype:
        """NumPy's type of memory that holds elements, as any NumPy has it."""
        if self.is_packed:
            return np.dtype(np.uint8)
        return np.dtype(self.name if self.is_native else f"u{self.bits // 8}")

    @property
    def is_native(self) -> bool:
        """NumPy has it by itself."""
        return self.code in (0, 1, 2, 5, 6) and not self.is_packed

    def __str__(self) -> str:
        return self.name


def _lookup(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:
        pass
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"NumPy has no {name} by itself, but with ml_dtypes: pip install ml_dtypes") from None
    return np.dtype(getattr(ml_dtypes, name))


_numpy: dict[ElementType, np.dtype] = {}
_TYPES = [
    *(ElementType(f"int{bits}", 0, bits) for bits in (2, 4, 8, 16, 32, 64)),
    *(ElementType(f"uint{bits}", 1, bits) for bits in (2, 4, 8, 16, 32, 64)),
    *(ElementType(f"float{bits}", 2, bits) for bits in (16, 32, 64)),
    *(ElementType(f"complex{bits}", 5, bits) for bits in (64, 128)),
    ElementType("bfloat16", 4, 16), ElementType("bool", 6, 8),
    ElementType("float8_e3m4", 7, 8), ElementType("float8_e4m3", 8, 8), ElementType("float8_e4m3b11fnuz", 9, 8),
    ElementType("float8_e4m3fn", 10, 8), ElementType("float8_e4m3fnuz", 11, 8), ElementType("float8_e5m2", 12, 8),
    ElementType("float8_e5m2fnuz", 13, 8), ElementType("float8_e8m0fnu", 14, 8), ElementType("float6_e2m3fn", 15, 6),
    ElementType("float6_e3m2fn", 16, 6), ElementType("float4_e2m1fn", 17, 4),
    ElementType("text", abi.STRING_CODE, abi.STRING_BITS),
]
_BY_CODE = {(type.code, type.bits): type for type in _TYPES}
_BY_NAME = {type.name: type for type in _TYPES}


def of_code(code: int, bits: int) -> ElementType:
    try:
        return _BY_CODE[code, bits]
    except KeyError:
        raise ValueError(f"an element type that this version does not know: code {code}, {bits} bits; update sinter") from None


def of_numpy(dtype: np.dtype) -> ElementType:
    """The type of an array's elements; TypeError where no model has such."""
    if dtype.kind in "USTO":
        return _BY_NAME["text"]
    type = _BY_NAME.get(dtype.name)
    if type is None:
        raise TypeError(f"no model takes elements of {dtype}")
    return type
