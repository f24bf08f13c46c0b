"""The folder tree of the settings: whose folder is which, and what it is called (R66, R69). Pure.

A line such as `{Account.Name}/{Opportunity.Name}/Contracts` is a path below the root folder. The
folder of an opportunity is the one whose name has `{Opportunity.Name}` in it; that of an account
the last one before it, or in a line without it, that has `{Account.Name}`. What follows a record's
folder is made with it. All lines must mean the same folders, since a record has one.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inkwire.errors import Permanent

ACCOUNT, OPPORTUNITY = "Account", "Opportunity"
OBJECTS = (ACCOUNT, OPPORTUNITY)
#: Characters of a name at Box (box.md, and Box's own guide to names).
MOST = 255
#: Where opportunities go that have no account.
NO_ACCOUNT = "Without account"
#: Forbidden at Box, or by the disks of those who synchronise it.
_FORBIDDEN = frozenset('/\\<>:|?*"')
_PLACE = re.compile(r"\{([^{}]*)\}")
_PLACES = {"Account.Name": ACCOUNT, "Opportunity.Name": OPPORTUNITY}
#: Lines, and folders one below the other: what a person would still call a template.
_MOST_LINES, _MOST_DEEP = 50, 12
#: Control, format, surrogate, private and unassigned characters, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Joiners that scripts and emoji need, although they are format characters.
_JOINERS = frozenset("\u200c\u200d")

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """Where a record's folder stands."""

    #: The names above it as the template has them, below the root folder or the account's folder.
    above: Path
    #: Its own name as the template has it.
    name: str
    #: Paths below it that are made with it, the shorter before the longer.
    below: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """The folders of both objects; None: an object has none."""

    account: Level | None
    opportunity: Level | None

    def level(self, object_name: str) -> Level | None:
        """The level of an object."""
        return {ACCOUNT: self.account, OPPORTUNITY: self.opportunity}.get(object_name)

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects that have folders."""
        return tuple(name for name in (ACCOUNT, OPPORTUNITY) if self.level(name) is not None)


def parse(lines: Sequence[str]) -> Tree:
    """The tree of the settings' lines.

    Raises Permanent with a sentence for an unknown placeholder, an empty name, or lines that mean
    different folders.
    """
    paths = [_path(line) for line in lines]
    if not paths or len(paths) > _MOST_LINES:
        raise Permanent(
            f"The folder tree has 1 to {_MOST_LINES} lines; correct it in the settings."
        )
    accounts = {path[: at + 1] for path in paths if (at := _account_at(path)) is not None}
    deals = {path[: at + 1] for path in paths if (at := _opportunity_at(path)) is not None}
    _require_one(ACCOUNT, accounts)
    _require_one(OPPORTUNITY, deals)
    account, deal = next(iter(accounts), None), next(iter(deals), None)
    above = len(account) if account and deal and deal[: len(account)] == account else 0
    if account and deal and not above:
        raise Permanent(
            f"In the folder tree {'/'.join(deal)} does not stand below {'/'.join(account)}; let "
            "every line begin with the account's folder."
        )
    return Tree(
        account=_level(account, 0, [path for path in paths if _opportunity_at(path) is None]),
        opportunity=_level(deal, above, paths),
    )


def rendered(name: str, names: Mapping[str, str]) -> str:
    """A template's name with those of the records in it; `names`: by object, not yet cleaned."""
    return _PLACE.sub(lambda found: names.get(_PLACES.get(found[1], ""), ""), name)


def clean(name: str, *, instead: str) -> str:
    """A name that Box takes: at most 255 characters, in any script; `instead` if nothing is left.

    What Box forbids becomes a hyphen, a run of blanks one blank.
    """
    printable = (
        one
        for one in unicodedata.normalize("NFC", name)
        if one.isspace() or one in _JOINERS or unicodedata.category(one) not in _UNPRINTABLE
    )
    marked = "".join("-" if one in _FORBIDDEN else one for one in printable)
    found = _cut(" ".join(marked.split()), MOST)
    return found if found.strip(".- \u200c\u200d") else instead


def candidates(name: str, record_id: str) -> Path:
    """Names for a record's folder, the nicest first: the later ones are no other record's.

    `record_id`: 15 or 18 characters. A case apart is no other name at Box, and ids differ by case
    only in their first 15 characters: the last resort has all 18, whose end tells cases apart.
    """
    nice = clean(name, instead=record_id)
    numbered = (f" ({record_id[-6:]})", f" ({record_id})")
    return tuple(dict.fromkeys((nice, *(_cut(nice, MOST - len(end)) + end for end in numbered))))


def _cut(text: str, most: int) -> str:
    """At most so many characters, without blanks or dots at its end, and no blank at its start.

    Counted as UTF-16 does, which is never less than others count.
    """
    kept = text.encode("utf-16-le")[: most * 2].decode("utf-16-le", "ignore")
    return kept.strip().rstrip(". ")


def _path(line: str) -> Path:
    parts = tuple(part.strip() for part in line.strip().strip("/").split("/"))
    if len(parts) > _MOST_DEEP:
        raise Permanent(
            f"The folder tree's line {line!r} is more than {_MOST_DEEP} folders deep; shorten it."
        )
    for part in parts:
        for place in _PLACE.findall(part):
            if place not in _PLACES:
                known = " and ".join(f"{{{name}}}" for name in _PLACES)
                raise Permanent(
                    f"The folder tree knows {known}, but no {{{place}}}; correct it in the "
                    "settings."
                )
        bare = _PLACE.sub("x", part)
        if not bare or "{" in bare or "}" in bare or clean(bare, instead="") != bare:
            raise Permanent(
                f"{part!r} in the folder tree is no name that Box takes; leave out what stands "
                'before and after it in blanks, and any of < > : | ? * \\ " { }.'
            )
    if not any(_means(part) for part in parts):
        raise Permanent(
            f"The folder tree's line {line!r} has neither {{Account.Name}} nor "
            "{Opportunity.Name}, so it is no record's; correct it in the settings."
        )
    return parts


def _account_at(path: Path) -> int | None:
    """Which part is the account's folder."""
    found = [at for at, part in enumerate(path) if _means(part) == ACCOUNT]
    return found[-1] if found else None


def _opportunity_at(path: Path) -> int | None:
    found = [at for at, part in enumerate(path) if _means(part) == OPPORTUNITY]
    return found[-1] if found else None


def _means(part: str) -> str | None:
    """The object whose folder a part may be; one with both names is the opportunity's."""
    meant = {_PLACES[place] for place in _PLACE.findall(part)}
    return OPPORTUNITY if OPPORTUNITY in meant else next(iter(meant), None)


def _require_one(object_name: str, found: set[Path]) -> None:
    if len(found) > 1:
        several = ", ".join(sorted("/".join(path) for path in found))
        raise Permanent(
            f"The folder tree gives the {object_name} several folders ({several}), but a record "
            "has one; correct it in the settings."
        )


def _level(folder: Path | None, above: int, paths: Sequence[Path]) -> Level | None:
    """The level of a folder. `above`: parts of it that are the account's folder."""
    if folder is None:
        return None
    rest = {path[len(folder) :] for path in paths if path[: len(folder)] == folder}
    return Level(
        above=folder[above:-1],
        name=folder[-1],
        below=tuple(sorted((path for path in rest if path), key=lambda path: (len(path), path))),
    )
