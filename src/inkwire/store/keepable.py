"""What both dialects keep: PostgreSQL takes no NUL, and neither takes half a character."""

from inkwire.errors import StoreError

#: Greatest number of a BIGINT.
MAX_NUMBER = 2**63 - 1


def known(number: int) -> int:
    """The number, or 0, which nothing has, for one that no column takes."""
    return number if 0 < number <= MAX_NUMBER else 0


def require_keepable(*values: str | None) -> None:
    """Raises StoreError for a text with NUL or a lone surrogate; callers check input before."""
    if not keepable(*values):
        raise StoreError(
            "A text holds NUL or half a character (a lone surrogate), which no store keeps; "
            "remove it and try again."
        )


def keepable(*values: str | None) -> bool:
    """Whether no text holds NUL or a lone surrogate."""
    return not any(
        value is not None and ("\x00" in value or not _is_unicode(value)) for value in values
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
