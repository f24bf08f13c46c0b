"""What a Salesforce connection is asked for. Pure.

There is no way by user name and password: SOAP's `login()` is off in new organisations and ends in
Summer '27, and a user's password opens more than an integration needs.
"""

from inkwire.providers.contract import AuthMethod, SecretField, SettingField, SettingKind
from inkwire.providers.pem import MAX_KEY, Origin

CLIENT_CREDENTIALS, WEB_SERVER, JWT_BEARER = "client_credentials", "web_server", "jwt_bearer"
LOGIN_URL = "https://login.salesforce.com"
API_VERSION = "66.0"
#: Oldest version that Salesforce supports beyond Summer '27 (help article 005321531).
OLDEST_VERSION = 41

_CLIENT_ID = SettingField(
    key="client_id",
    label="Consumer key",
    help="Of the External Client App: Settings → OAuth Settings → Consumer Key and Secret.",
    kind=SettingKind.TEXT,
    default="",
    example="3MVG9…",
)
_API_VERSION = SettingField(
    key="api_version",
    label="API version",
    help="Version of Salesforce's REST API that is called. The default fits every organisation.",
    kind=SettingKind.TEXT,
    default=API_VERSION,
    example=API_VERSION,
)
_SECRET_HELP = "Beside the consumer key; Salesforce mails a code before it shows both"

CLIENT_CREDENTIALS_METHOD = AuthMethod(
    name=CLIENT_CREDENTIALS,
    title="Client credentials (server authentication)",
    help="Consumer key and secret of an External Client App give a token for the “Run As” user "
    "that the app names. Nobody signs in.",
    settings=(
        SettingField(
            key="my_domain",
            label="My Domain address",
            help="Of your organisation, as Setup → My Domain shows it. login.salesforce.com gives "
            "no tokens this way.",
            kind=SettingKind.TEXT,
            default="",
            example="https://acme.my.salesforce.com",
        ),
        _CLIENT_ID,
        _API_VERSION,
    ),
    secrets=(SecretField(role="client_secret", label="Consumer secret", help=f"{_SECRET_HELP}."),),
)
WEB_SERVER_METHOD = AuthMethod(
    name=WEB_SERVER,
    title="Web server flow (a user signs in)",
    help="A person signs in at Salesforce once, and calls are made as that person until the "
    "sign-in is revoked.",
    settings=(
        _CLIENT_ID,
        SettingField(
            key="login_url",
            label="Sign-in address",
            help="https://login.salesforce.com; https://test.salesforce.com for a sandbox; or your "
            "My Domain address, if users may only sign in there.",
            kind=SettingKind.TEXT,
            default=LOGIN_URL,
            example="https://acme.my.salesforce.com",
        ),
        _API_VERSION,
    ),
    secrets=(
        SecretField(
            role="client_secret",
            label="Consumer secret",
            help=f"{_SECRET_HELP}. Empty only if the app does not require it.",
            required=False,
        ),
    ),
    authorizes=True,
)
JWT_BEARER_METHOD = AuthMethod(
    name=JWT_BEARER,
    title="JWT bearer (server authentication by a key)",
    help="A private key signs a short statement, which gives a token for the user that it names. "
    "Nobody signs in, and no secret leaves this machine.",
    settings=(
        SettingField(
            key="my_domain",
            label="My Domain address",
            help="Of your organisation, as Setup → My Domain shows it; the statement is made out "
            "to it. An older Connected App may use https://login.salesforce.com, or "
            "https://test.salesforce.com for a sandbox; External Client Apps refuse those.",
            kind=SettingKind.TEXT,
            default="",
            example="https://acme.my.salesforce.com",
        ),
        _CLIENT_ID,
        SettingField(
            key="as_user",
            label="User name",
            help="Of the user that calls are made as: Setup → Users shows it. It looks like an "
            "e-mail address, but is none; in a sandbox it ends in the sandbox's name.",
            kind=SettingKind.TEXT,
            default="",
            example="inkwire@acme.com",
        ),
        _API_VERSION,
    ),
    secrets=(
        SecretField(
            role="private_key",
            label="Private key (PEM)",
            help="Of the certificate that the app holds; line breaks that were lost are put back.",
            max_length=MAX_KEY,
        ),
        SecretField(
            role="passphrase",
            label="Passphrase",
            help="Of the private key, if it is encrypted.",
            required=False,
        ),
    ),
)
METHODS = (CLIENT_CREDENTIALS_METHOD, WEB_SERVER_METHOD, JWT_BEARER_METHOD)
#: Where a key comes from, for the sentences about a wrong one.
KEYS = Origin(
    vendor="Salesforce",
    where="the file that was made together with it",
    make="make an RSA key and its certificate by `openssl req -x509 -newkey rsa:2048 -sha256 "
    "-days 730 -subj /CN=inkwire -keyout inkwire.key -out inkwire.crt`, and upload the "
    "certificate to the app",
    opens="Whoever made the key chose its passphrase",
    together="it is the one that was chosen when the key was made",
)
