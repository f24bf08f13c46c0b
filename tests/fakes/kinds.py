"""A business process that does nothing, with every sort of setting, for the desks and the API."""

from inkwire.engine.contract import EventHandler, Outcome, Problem
from inkwire.providers.contract import SettingField, SettingKind


async def stand_by(run):
    """Does nothing."""
    return Outcome.done("Nothing to do.")


class ToyKind:
    """Copies things, it says."""

    name = "toy_copy"
    title = "Toy copy"
    summary = "Copies things from here to there."
    provider = "silent"
    second_provider = ""
    settings = (
        SettingField(key="word", label="Word", help="", kind=SettingKind.TEXT, default=""),
        SettingField(
            key="days", label="Days", help="", kind=SettingKind.INTEGER, default=30, maximum=100
        ),
        SettingField(key="ids", label="Ids", help="", kind=SettingKind.LIST, default=""),
        SettingField(key="map", label="Map", help="", kind=SettingKind.MAPPING, default=""),
        SettingField(key="mail", label="Mail", help="", kind=SettingKind.EMAIL, default=""),
        SettingField(key="page", label="Page", help="", kind=SettingKind.URL, default=""),
    )
    events = (
        EventHandler(
            types=frozenset({"acme.made"}),
            workflow="copy",
            key=lambda event, parsed: event.id,
            entity=lambda event, parsed: event.entity_key,
            subject=lambda event, parsed: {},
        ),
    )
    upkeep = ()

    def __init__(self) -> None:
        self.workflows = {"copy": stand_by}

    def problems(self, integration, services):
        """The word and a connection are needed; no ids are worth a warning."""
        found = []
        if not integration.settings["word"]:
            found.append(Problem(field="word", text="Say a word."))
        if integration.connection_id is None:
            found.append(Problem(field="connection", text="Choose a connection."))
        if not integration.settings["ids"]:
            found.append(Problem(field="ids", text="Nothing is copied.", blocks=False))
        return tuple(found)

    def on_order(self, integration, order, *, change_id):
        """It does not look at orders."""


TOY = ToyKind()


class LonelyKind(ToyKind):
    """Calls nobody."""

    name = "lonely"
    title = "Lonely"
    provider = ""
    second_provider = ""
    settings = ()

    def problems(self, integration, services):
        """None ever."""
        return ()


KINDS = {kind.name: kind for kind in (LonelyKind(), TOY)}
