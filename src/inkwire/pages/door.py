"""Who may send a form: cookies, CSRF tokens and the origin of a request. No I/O.

A form is taken only if its token is the one of the session (or, before there is one, of the
sign-in cookie), compared in constant time, and if the browser says that it comes from our own
pages. Either would do; both together hold when one of them has a hole.
"""

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from inkwire.config import Settings

SESSION_COOKIE = "inkwire_session"
#: Holds the CSRF token of the sign-in form, when there is no session yet.
SIGN_IN_COOKIE = "inkwire_sign_in"
THEME_COOKIE = "inkwire_theme"
#: Which sentence the next page says; see `words.SAID`.
SAID_COOKIE = "inkwire_said"
CSRF_FIELD = "csrf"
YEAR_S = 365 * 24 * 3600


def new_token() -> str:
    """A token that no other site can guess: 192 random bits."""
    return secrets.token_urlsafe(24)


def same_token(given: str, expected: str) -> bool:
    """Whether a form's token is the expected one, in constant time; an empty one never is."""
    return bool(expected) and hmac.compare_digest(
        given.encode("utf-8", "replace"), expected.encode("utf-8", "replace")
    )


def is_own_origin(request: Request, settings: Settings) -> bool:
    """Whether the browser says that a form comes from one of our own pages.

    `Origin` must name the host that was asked, or the public URL's (a proxy may change the host).
    Browsers that send none must at least say `Sec-Fetch-Site: same-origin`.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:  # no URL at all, such as `http://[`
        return False
    own = {request.headers.get("host", "").lower(), urlsplit(settings.base_url).netloc.lower()}
    return bool(host) and host in own


def set_cookie(
    response: Response,
    settings: Settings,
    name: str,
    value: str,
    *,
    path: str,
    max_age_s: int | None,
    elsewhere: bool = False,
) -> None:
    """Sets a cookie: HttpOnly, SameSite=Lax, and Secure when the hub is reached by https.

    `elsewhere`: it must come along in a frame of another site, so over https SameSite=None, and
    Partitioned: it belongs to that frame's site and is no third party's. Browsers send such
    cookies over https only. `max_age_s` 0 ends it.
    """
    secure = settings.base_url.startswith("https://")
    framed = elsewhere and secure
    response.set_cookie(
        name,
        value,
        path=path,
        max_age=max_age_s,
        httponly=True,
        samesite="none" if framed else "lax",
        secure=secure,
    )
    if framed:  # `partitioned=` needs Python 3.14
        last, kept = response.raw_headers.pop(), response.raw_headers
        kept.append((last[0], last[1] + b"; Partitioned"))


def safe_next(target: str, base: str) -> str:
    """Where to go after signing in: `target` if it is a page of ours, else the overview."""
    home = f"{base}/"
    if not target.startswith(home) or not target.isascii() or not target.isprintable():
        return home
    # `//host` and `/\host` are other sites for a browser; `..` may climb out of the console.
    return home if "//" in target or "\\" in target or ".." in target else target
