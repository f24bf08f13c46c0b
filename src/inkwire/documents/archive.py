"""The ZIP of an evidence bundle: written the same way each time, read without trust. Pure.

Nothing is ever unpacked to the disk. What no hub would have written is refused before it is read.
"""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO

from inkwire.documents.bundle import MANIFEST, MEMBER, MOST_BYTES, MOST_MEMBERS, README, SIGNATURE
from inkwire.errors import InvalidInput

_EPOCH = (1980, 1, 1, 0, 0, 0)
_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
#: Of a ZIP file: bytes of a local header, the two lengths in it, size and place of the directory.
_LOCAL, _LENGTHS, _END = 30, struct.Struct("<HH"), struct.Struct("<II")


def written(manifest: bytes, signature: bytes, files: Mapping[str, bytes]) -> bytes:
    """The ZIP: readme and manifest first; documents as they are, the rest packed; no times.

    Raises InvalidInput if there are more files than a bundle may hold.
    """
    if len(files) + 2 > MOST_MEMBERS:
        raise InvalidInput("There are more records than one bundle may hold.")
    out = BytesIO()
    ordered = {
        README: files[README],
        MANIFEST: manifest,
        SIGNATURE: signature,
        **dict(sorted(files.items())),
    }
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in ordered.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            packs = not name.startswith("documents/")
            entry.compress_type = zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED
            zipped.writestr(entry, content)
    return out.getvalue()


def read_members(bundle: bytes) -> dict[str, bytes]:
    """Every member's bytes by name. Raises InvalidInput for what no hub would write."""
    if not bundle.startswith(b"PK\x03\x04"):
        raise InvalidInput("This is no ZIP file, or something stands before its beginning.")
    try:
        with zipfile.ZipFile(BytesIO(bundle)) as archive:
            _refuse_hostile(archive)
            _refuse_gaps(archive, bundle)
            return {one.filename: _read(archive, one) for one in archive.infolist()}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        struct.error,
    ) as error:
        raise InvalidInput(f"The ZIP file is damaged: {_line(error)}.") from None
    except NotImplementedError:
        raise InvalidInput("The ZIP file uses a feature that no hub uses.") from None


def _refuse_hostile(archive: zipfile.ZipFile) -> None:
    """Judges names and sizes before anything is unpacked. Raises InvalidInput."""
    entries = archive.infolist()
    if len(entries) > MOST_MEMBERS:
        raise InvalidInput(
            f"It holds {len(entries):,} files; a bundle has at most {MOST_MEMBERS:,}."
        )
    if archive.comment:
        raise InvalidInput("The ZIP file carries a comment, which no hub writes.")
    seen: set[str] = set()
    for one in entries:
        name = one.orig_filename
        if not MEMBER.fullmatch(name) or name != one.filename:
            raise InvalidInput(f"It holds a file with a name that no hub writes: {name[:80]!r}.")
        if name.casefold() in seen:
            raise InvalidInput(f"It holds {name} twice; nobody could say which one counts.")
        seen.add(name.casefold())
        if one.compress_type not in _PACKINGS or one.flag_bits & 1:
            raise InvalidInput(f"{name} is encrypted, or packed in a way that no hub uses.")
    if sum(one.file_size for one in entries) > MOST_BYTES:
        raise InvalidInput(
            f"Unpacked it would have more than {MOST_BYTES:,} bytes; it is not read."
        )


def _refuse_gaps(archive: zipfile.ZipFile, bundle: bytes) -> None:
    """Members follow each other from the first byte on, then comes the directory, then the end.

    Bytes that no member holds would be covered by no signature; members that share bytes are how
    bombs are made.
    """
    place = 0
    for one in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if one.header_offset != place:
            raise InvalidInput("The ZIP file holds bytes that belong to no file, or to two.")
        place += _LOCAL + sum(_LENGTHS.unpack_from(bundle, place + 26)) + one.compress_size
    size, start = _END.unpack_from(bundle, len(bundle) - 10)
    if bundle[-22:-18] != b"PK\x05\x06" or start != place or start + size + 22 != len(bundle):
        raise InvalidInput("The ZIP file holds bytes that belong to no file, or to two.")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A member's bytes; never more than it declares."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise InvalidInput(f"{entry.filename} has another size than the ZIP file says.")
    return content


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160].rstrip(".")
