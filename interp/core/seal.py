"""A checksum over a whole file, in its last bytes, which readers of HDF5 do not look at."""

import hashlib
from pathlib import Path

SEAL = "blake2b"  # what a sealed file says of itself, so that one whose end is lost is not taken for an older one
_MARK = b"\ninterp blake2b "
_DIGEST = 16


def sealed(content: bytes | memoryview) -> bytes:
    """The content of a file, and its checksum."""
    return bytes(content) + _MARK + hashlib.blake2b(content, digest_size=_DIGEST).digest()


def has_whole_seal(path: Path) -> bool:
    """Whether a file ends with the checksum of what stands before it; False for a file without one.

    Raises: ValueError if it has another checksum.
    """
    remaining = path.stat().st_size - len(_MARK) - _DIGEST
    if remaining < 0:
        return False
    digest = hashlib.blake2b(digest_size=_DIGEST)
    with open(path, "rb") as file:
        while remaining and (part := file.read(min(remaining, 1 << 20))):
            digest.update(part)
            remaining -= len(part)
        if file.read(len(_MARK)) != _MARK:
            return False
        if file.read() != digest.digest():
            raise ValueError("its checksum is not that of its content")
    return True
