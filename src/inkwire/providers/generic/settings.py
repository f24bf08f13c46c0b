"""The settings of a generic source: how its sender signs, and where its events tell what. Data."""

from inkwire.providers.contract import SecretField, SettingField, SettingKind

ROLE = "key"
#: A place that starts so is a header of the request, else it is a path in the body.
HEADER = "header:"

_PLACES = (
    "A path in the body such as data.object.id, or header: and a name (headers are not covered "
    "by most signatures)."
)

SECRETS = (
    SecretField(
        role=ROLE,
        label="Signing secret",
        help="The text that the sender signs with, exactly as its console shows it. If the sender "
        "lets you choose one, let Inkwire make it up.",
        min_length=8,
        generate=True,
    ),
)

#: How the sender signs.
SIGNING = (
    SettingField(
        key="signature_in",
        label="Signature stands in",
        help="Whether the signature comes as a header or as a parameter of the URL.",
        kind=SettingKind.CHOICE,
        default="header",
        choices=("header", "query"),
    ),
    SettingField(
        key="signature_name",
        label="Name of the signature",
        help="The header or the parameter. With a * at the end it stands for every number there, "
        "one signature for each key of the sender.",
        kind=SettingKind.TEXT,
        default="X-Signature",
        example="X-Hub-Signature-256",
    ),
    SettingField(
        key="signature_separator",
        label="Between its parts",
        help="What stands between the parts, if the value is a list such as t=…,v1=…,v1=…; "
        "empty: it is one part.",
        kind=SettingKind.TEXT,
        default="",
        example=",",
    ),
    SettingField(
        key="signature_prefix",
        label="Before a signature",
        help="What a part starts with that is a signature; other parts are passed over.",
        kind=SettingKind.TEXT,
        default="",
        example="sha256=",
    ),
    SettingField(
        key="encoding",
        label="Encoding",
        help="How the 32 bytes of the HMAC-SHA256 are written.",
        kind=SettingKind.CHOICE,
        default="hex",
        choices=("hex", "base64"),
    ),
    SettingField(
        key="content",
        label="What is signed",
        help="The body alone, or with the time before or after it. Only a signed time protects "
        "from a call that somebody recorded and sends again.",
        kind=SettingKind.CHOICE,
        default="body",
        choices=("body", "timestamp-body", "body-timestamp"),
    ),
    SettingField(
        key="content_separator",
        label="Between time and body",
        help="What stands between the two where the time is signed with the body.",
        kind=SettingKind.TEXT,
        default=".",
    ),
    SettingField(
        key="timestamp_in",
        label="Time stands in",
        help="Where the signed time comes: a header, a parameter of the URL, or a part of the "
        "signature's value.",
        kind=SettingKind.CHOICE,
        default="header",
        choices=("header", "query", "signature"),
    ),
    SettingField(
        key="timestamp_name",
        label="Name of the time",
        help="The header or the parameter; in the signature's value, what the part starts with. "
        "Seconds, milliseconds, microseconds and RFC 3339 are understood.",
        kind=SettingKind.TEXT,
        default="X-Timestamp",
        example="t=",
    ),
    SettingField(
        key="tolerance_s",
        label="Tolerance",
        help="How far a signed time may be from this machine's, past or future.",
        kind=SettingKind.SECONDS,
        default=300,
        minimum=10,
        maximum=86_400,
    ),
)

#: Where its events tell what.
READING = (
    SettingField(
        key="events_at",
        label="Events stand at",
        help="Path of the event, or of a list of them, in the body; empty: the body itself. "
        "Each element of a list is an event.",
        kind=SettingKind.TEXT,
        default="",
        example="events",
    ),
    SettingField(
        key="type_at",
        label="Event type",
        help=f"{_PLACES} Several places, with blanks between them, are joined by points.",
        kind=SettingKind.TEXT,
        default="type",
        example="header:X-GitHub-Event action",
    ),
    SettingField(
        key="id_at",
        label="Event id",
        help=f"What is the same when a call is repeated. {_PLACES} Several places are taken "
        "together; empty: the whole event.",
        kind=SettingKind.TEXT,
        default="",
        example="id",
    ),
    SettingField(
        key="dedupe",
        label="The id is",
        help="«hard»: the sender never uses it for another event, and a repeat is dropped for "
        "good; where one of its places is empty, the content counts instead. "
        "«derived»: a repeat within 48 hours is a probable one.",
        kind=SettingKind.CHOICE,
        default="derived",
        choices=("derived", "hard"),
    ),
    SettingField(
        key="entity_kind",
        label="An event is about",
        help="The kind of thing that the events are about, in one word; the history of a thing is "
        "found by it.",
        kind=SettingKind.TEXT,
        default="object",
        example="envelope",
    ),
    SettingField(
        key="entity_at",
        label="Id of the thing",
        help=f"{_PLACES} Of several places the first that is there counts. The source can be "
        "limited to such ids.",
        kind=SettingKind.TEXT,
        default="",
        example="data.object.id",
    ),
    SettingField(
        key="time_at",
        label="Time of the event",
        help=f"{_PLACES} Of several places the first that is there counts.",
        kind=SettingKind.TEXT,
        default="",
        example="created",
    ),
    SettingField(
        key="mark_as_test",
        label="All deliveries are tests",
        help="Marks everything that arrives as a test, for a source that only a sandbox calls.",
        kind=SettingKind.SWITCH,
        default=False,
    ),
)

SETTINGS = SIGNING + READING
