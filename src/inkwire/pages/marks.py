"""States as a person sees them: a word, an icon and a tone."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """The four state colours, and none."""

    OK = "ok"
    WAITING = "waiting"
    ATTENTION = "attention"
    FAILED = "failed"
    NEUTRAL = "neutral"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A state: never colour alone, always an icon and a word with it."""

    word: str
    icon: str
    tone: Tone
    #: One sentence that says what it means.
    meaning: str
