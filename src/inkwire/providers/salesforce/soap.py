"""XML from the outside as a small tree: no DTD, no entities of its own, bounded in all. Pure.

Python's own expat, set up strictly: a document type, which is where entities and references to
other files come from, a processing instruction or another encoding than UTF-8 ends the reading. So
no package for it is needed (docs/decisions/0022).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

# What the warning is about is refused below, each by a handler.
from xml.parsers import expat

from inkwire.errors import Unparsable

#: Elements one within the other, elements in all, and attributes of one.
MAX_DEPTH, MAX_ELEMENTS, MAX_ATTRIBUTES = 16, 50_000, 32
#: Characters of a name with its namespace.
_MAX_NAME = 300
#: Bytes that are read at once, and that a single tag may have: expat writes a namespace out for
#: each attribute before it tells of the element, so the memory grows with the square of a tag.
_PIECE, MAX_TAG = 4 * 1024, 16 * 1024
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: Between namespace and name; neither may hold it.
_BETWEEN = "\n"

#: (namespace or "", name).
Name = tuple[str, str]


@dataclass(kw_only=True, slots=True)
class Element:
    """One element."""

    name: Name
    #: What `xsi:type` says, its prefix resolved; None: nothing.
    type: Name | None
    #: Whether `xsi:nil` says that it has no value.
    nil: bool
    children: list["Element"] = field(default_factory=list)
    #: All text directly in it.
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text, without blanks at the ends."""
        return "".join(self.texts).strip()

    def all(self, name: Name) -> Iterator["Element"]:
        """The children of that name."""
        return (child for child in self.children if child.name == name)

    def only(self, name: Name) -> "Element":
        """The one child of that name. Raises Unparsable if there is none, or a second."""
        found = list(self.all(name))
        if len(found) != 1:
            raise Unparsable(
                f"The message has {len(found)} elements {name[1]} in {self.name[1]}, not one."
            )
        return found[0]


def read(body: bytes) -> Element:
    """The root element of a document in UTF-8. Raises Unparsable, and nothing else."""
    reader = _Reader()
    parser = reader.parser
    try:
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            parser.Parse(piece, False)
            if start + len(piece) - parser.CurrentByteIndex > MAX_TAG:
                raise Unparsable(f"The body has a tag of over {MAX_TAG} bytes.")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Unparsable(f"The body is no XML: {error}.") from None
    except ValueError:
        raise Unparsable("The body is no XML in UTF-8.") from None
    if reader.root is None:
        raise Unparsable("The body is no XML: it is empty.")
    return reader.root


class _Reader:
    """Builds the tree."""

    def __init__(self) -> None:
        """Sets expat up; `UTF-8` overrules what the document says of itself."""
        self.root: Element | None = None
        self._open: list[Element] = []
        self._elements = 0
        #: Namespaces by prefix, the innermost last; the prefix of none is None.
        self._scopes: dict[str | None, list[str | None]] = {}
        parser = expat.ParserCreate("UTF-8", _BETWEEN)
        parser.buffer_text = True
        parser.XmlDeclHandler = _declared
        parser.StartDoctypeDeclHandler = _document_type
        parser.EntityDeclHandler = _document_type
        parser.ProcessingInstructionHandler = _instruction
        parser.StartNamespaceDeclHandler = self._scope
        parser.EndNamespaceDeclHandler = self._unscope
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        self.parser = parser

    def _scope(self, prefix: str | None, uri: str | None) -> None:
        if len(uri or "") > _MAX_NAME:
            raise Unparsable("The body has a namespace that is too long to be meant.")
        self._scopes.setdefault(prefix, []).append(uri)

    def _unscope(self, prefix: str | None) -> None:
        self._scopes[prefix].pop()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise Unparsable(f"The body has over {MAX_DEPTH} elements one within the other.")
        if self._elements > MAX_ELEMENTS:
            raise Unparsable(f"The body has over {MAX_ELEMENTS} elements.")
        if len(attributes) > MAX_ATTRIBUTES or len(name) > _MAX_NAME:
            raise Unparsable("The body has an element that is too large to be meant.")
        found = Element(
            name=_split(name),
            type=self._resolved(attributes.get(f"{_XSI}{_BETWEEN}type")),
            nil=attributes.get(f"{_XSI}{_BETWEEN}nil", "").strip() in ("true", "1"),
        )
        if self._open:
            self._open[-1].children.append(found)
        else:
            self.root = found
        self._open.append(found)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        if self._open:
            self._open[-1].texts.append(text)

    def _resolved(self, given: str | None) -> Name | None:
        """`sf:Opportunity` with the namespace that the prefix stands for here."""
        if given is None:
            return None
        prefix, between, local = given.strip().rpartition(":")
        scope = self._scopes.get(prefix if between else None)
        return (scope[-1] if scope else None) or "", local


def _split(name: str) -> Name:
    namespace, _, local = name.rpartition(_BETWEEN)
    return namespace, local


def _declared(_: str, encoding: str | None, __: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
        raise Unparsable("The body says that it is not in UTF-8.")


def _document_type(*_: object) -> NoReturn:
    raise Unparsable("The body has a document type (DTD), which no message of Salesforce has.")


def _instruction(*_: object) -> NoReturn:
    raise Unparsable("The body holds a processing instruction, as no message of Salesforce does.")
