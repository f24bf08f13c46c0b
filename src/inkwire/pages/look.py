"""The choice between light and dark."""

from starlette.responses import Response

from inkwire.errors import InvalidInput
from inkwire.pages import door
from inkwire.pages.visit import THEMES, Page, Visit


def choose_theme(visit: Visit) -> Response:
    """POST: keeps light, dark or the system's choice in a cookie; works without script."""
    theme = visit.field("theme")
    if theme not in THEMES:
        raise InvalidInput(fields={"theme": f"must be one of: {', '.join(THEMES)}"})
    response = visit.see(door.safe_next(visit.field("next"), visit.base))
    visit.set_cookie(response, door.THEME_COOKIE, theme, max_age_s=door.YEAR_S)
    return response


PAGES = (Page(path="/theme", handler=choose_theme, method="POST"),)
