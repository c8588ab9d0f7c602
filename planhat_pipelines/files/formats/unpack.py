"""Take a file out of its gzip or zip wrapping, with bounds that hold whatever the wrapping claims."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO

from planhat_pipelines.files.formats.model import Limits, Unreadable

GZIP, ZIP, EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"
CHUNK = 1 << 20
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)
_AGAIN = "Send it again; it may be cut off"


def unpacked(path: Path, folder: Path, limits: Limits) -> Path:
    """The file itself, or what its gzip or zip holds, written into `folder`. A spreadsheet stays as it is.

    A zip must hold one file (macOS adds its own, which are passed over). One layer is taken off, no more.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(GZIP):
        with gzip.open(path) as inside:
            return _written(inside, folder / "unpacked", limits)
    if not magic.startswith((ZIP, EMPTY_ZIP)):
        return path
    with opened(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if is_spreadsheet(names):
            return path
        if len(names) != 1:
            raise Unreadable(
                f"the zip holds {len(names):,} files, where one was expected", cure="Send each file by itself"
            )
        info = archive.getinfo(names[0])
        if info.flag_bits & 1:
            raise Unreadable("the zip is locked with a password", cure="Send the file without one")
        try:
            inside = archive.open(info)
        except (*BROKEN, NotImplementedError):
            raise Unreadable("the file is damaged: its zip directory is wrong", cure=_AGAIN) from None
        with inside:
            return _written(inside, folder / "unpacked", limits)


def opened(path: Path) -> zipfile.ZipFile:
    """The zip archive at `path`; Unreadable when its directory is damaged."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, EOFError, ValueError):
        raise Unreadable("the file is damaged: its zip directory cannot be read", cure=_AGAIN) from None
    if any(member.header_offset < 0 for member in archive.infolist()):  # the system would refuse to go there
        archive.close()
        raise Unreadable("the file is damaged: bytes of it are missing", cure=_AGAIN)
    return archive


def is_spreadsheet(names: list[str]) -> bool:
    """Whether a zip with these members is an office document or package rather than a wrapping."""
    return "[Content_Types].xml" in names or "mimetype" in names


def _written(source: gzip.GzipFile | IO[bytes], target: Path, limits: Limits) -> Path:
    written = 0
    with target.open("wb") as file:
        try:
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > limits.unpacked_bytes:
                    raise Unreadable(
                        f"the file unpacks to more than {limits.unpacked_bytes:,} bytes",
                        cure="Split it into smaller files",
                    )
                file.write(chunk)
        except (*BROKEN, NotImplementedError):
            raise Unreadable(
                f"the file is damaged: it stops unpacking after {written:,} bytes",
                cure=_AGAIN,
            ) from None
    return target
