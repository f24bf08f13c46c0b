"""Texts as Salesforce takes them: cut to its lengths, with marks that are found again. Pure.

Salesforce counts UTF-16 units; a pair of them is never cut apart.
"""

import re
from pathlib import PurePosixPath

#: Lengths of ContentVersion's Title and PathOnClient, of Task's Subject and Description.
MOST_TITLE, MOST_PATH, MOST_SUBJECT, MOST_DESCRIPTION = 255, 500, 255, 32_000
#: Longest extension that is kept when a name is cut.
_MOST_SUFFIX = 40
_MARK = re.compile(r"^Inkwire: (act_[0-9a-v]+)\s*$", re.MULTILINE)


def cut(text: str, most: int) -> str:
    """At most so many UTF-16 units, with an ellipsis if something is left out."""
    if units(text) <= most:
        return text
    kept, room = [], most - 1
    for one in text:
        room -= units(one)
        if room < 0:
            break
        kept.append(one)
    return "".join(kept).rstrip() + "…"


def units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text) + sum(one > "\uffff" for one in text)


def title_of(name: str) -> str:
    """A file's name without its extension: what people see in Salesforce."""
    return cut(PurePosixPath(name).stem or name, MOST_TITLE)


def path_of(name: str) -> str:
    """A file's name for PathOnClient; the extension stays when it is cut (R56)."""
    if units(name) <= MOST_PATH:
        return name
    suffix = PurePosixPath(name).suffix
    if not suffix or units(suffix) > _MOST_SUFFIX:
        return cut(name, MOST_PATH)
    return cut(name[: -len(suffix)], MOST_PATH - units(suffix)) + suffix


def version_mark(file_id: str, version_id: str) -> str:
    """The first line of a ContentVersion's Description, by which a lost one is found again."""
    return f"Box file {file_id}, version {version_id}"


def has_version_mark(description: str | None, file_id: str, version_id: str) -> bool:
    """Whether a Description is that of this version."""
    lines = (description or "").splitlines()
    return bool(lines) and lines[0].strip() == version_mark(file_id, version_id)


def marked(text: str, activity_id: str) -> str:
    """A Task's Description: the text, cut, and the mark on a line of its own."""
    mark = f"Inkwire: {activity_id}"
    return f"{cut(text, MOST_DESCRIPTION - units(mark) - 2)}\n\n{mark}".lstrip()


def activity_in(description: str | None) -> str | None:
    """The activity that a Task's Description names; the last mark counts, a person may quote."""
    found = _MARK.findall(description or "")
    return found[-1] if found else None
