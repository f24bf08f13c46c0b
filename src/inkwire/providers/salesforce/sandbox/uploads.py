"""A record with its file, as multipart/form-data that is read while it comes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from inkwire.providers.salesforce.sandbox.answers import SalesforceError, parsed
from inkwire.providers.salesforce.sandbox.files import LARGEST_FILE, Content, Keeper
from inkwire.providers.sandboxing import Doc, Documents

_LIMIT = "sf_largest_file"
_LARGEST_ENTITY = 1024 * 1024
_LARGEST_HEAD = 16 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """What came."""

    entity: Doc
    #: The name of the part with the bytes: `VersionData`.
    field: str
    content: Content


def set_largest(state: Documents, size: int | None) -> None:
    """Sets the largest file in bytes, for a test; None: as Salesforce has it."""
    state.put(_LIMIT, "1", {"size": size or LARGEST_FILE})


async def received(request: Request, state: Documents) -> Upload:
    """Reads the body to its end; its file is kept piece by piece. Raises SalesforceError."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise _broken("the content type names no boundary")
    largest = int((state.get(_LIMIT, "1") or {"size": LARGEST_FILE})["size"])
    reader = _Reader(Keeper(state), largest)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for data in request.stream():
            parser.write(data)
        parser.finalize()
    except FormParserError as error:
        raise _broken(str(error)) from None
    except ClientDisconnect:
        raise _broken("the connection ended early") from None
    return reader.done()


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str | None = None
    head: dict[bytes, bytes] = field(default_factory=dict)


class _Reader:
    """Takes the parser's calls: first the entity as JSON, then the file."""

    def __init__(self, keeper: Keeper, largest: int) -> None:
        self._keeper = keeper
        self._largest = largest
        self._part = _Part()
        self._name = b""
        self._value = b""
        self._entity: bytearray | None = None
        self._file: str | None = None
        self._ended = False

    def callbacks(self) -> Any:
        """As the parser wants them."""
        known: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._begun,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        return known

    def done(self) -> Upload:
        """What came. Raises SalesforceError if a part lacks."""
        if not self._ended:
            raise _broken("the last boundary is missing")
        if self._entity is None:
            raise _broken("the part with the record's fields is missing")
        entity = parsed(bytes(self._entity))
        if self._file is None:
            raise SalesforceError(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [VersionData]",
                ["VersionData"],
            )
        if any(name.lower() == self._file.lower() for name in entity):
            raise _broken(f"{self._file} stands in the record's fields and as a part")
        return Upload(entity=entity, field=self._file, content=self._keeper.done())

    def _begin(self) -> None:
        self._part = _Part()
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._small()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._small()

    def _small(self) -> None:
        if len(self._name) + len(self._value) > _LARGEST_HEAD:
            raise _broken("a part's header is too long")

    def _header_end(self) -> None:
        self._part.head[self._name.lower()] = self._value
        self._name = self._value = b""

    def _begun(self) -> None:
        kind, options = parse_options_header(self._part.head.get(b"content-disposition", b""))
        if kind != b"form-data":
            raise _broken("a part has no content-disposition of form-data")
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options.get(b"filename")
        if filename is None:
            if self._entity is not None or self._file is not None:
                raise _broken("the record's fields must come first, and once")
            kind = self._part.head.get(b"content-type", b"application/json")
            if not kind.lower().startswith(b"application/json"):
                raise SalesforceError(
                    "UNSUPPORTED_MEDIA_TYPE",
                    "The part with the record's fields must be application/json",
                    None,
                    status=415,
                )
            self._entity = bytearray()
            return
        self._part.filename = filename.decode("utf-8", "replace")
        if self._entity is None or self._file is not None:
            raise _broken("one part with the file must follow the record's fields")
        self._file = self._part.name

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.filename is None and self._entity is not None:
            self._entity += data[start:end]
            if len(self._entity) > _LARGEST_ENTITY:
                raise _broken("the record's fields are too long")
            return
        self._keeper.take(data[start:end])
        if self._keeper.size > self._largest:
            raise SalesforceError(
                "MAXIMUM_SIZE_OF_ATTACHMENT",
                f"The file is larger than {self._largest} bytes",
                ["VersionData"],
            )

    def _end(self) -> None:
        self._ended = True


def _broken(why: str) -> SalesforceError:
    """400 for a body that is no multipart of a record and a file."""
    return SalesforceError("INVALID_MULTIPART_REQUEST", f"Multipart message: {why}", None)
