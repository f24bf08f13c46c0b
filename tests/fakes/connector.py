"""How the toy vendor `silent` is authenticated: an account and a token."""

from datetime import timedelta

from inkwire.errors import InvalidInput
from inkwire.model.connection import Token
from inkwire.providers.contract import (
    AuthMethod,
    SecretField,
    SettingField,
    SettingKind,
    TokenRequest,
)
from inkwire.providers.settings import check_settings


class SilentConnector:
    """One way, with one secret that is needed and one that is not."""

    methods = (
        AuthMethod(
            name="token",
            title="Account and token",
            help="Both stand in Silent's console.",
            settings=(
                SettingField(
                    key="account", label="Account", help="", kind=SettingKind.TEXT, default="main"
                ),
            ),
            secrets=(
                SecretField(role="token", label="Token", help="From the console.", min_length=8),
                SecretField(role="spare", label="Spare", help="If any.", required=False),
            ),
        ),
    )
    domains = ("silent.example",)

    def clean(self, method, settings, secrets):
        """Checks the settings, the method, and that the needed secret is long enough."""
        if method != "token":
            raise InvalidInput(fields={"method": "must be token"})
        if len(secrets.get("token", "")) < 8:
            raise InvalidInput(fields={"secrets.token": "must be 8 characters or more"})
        return check_settings(self.methods[0].settings, settings), dict(secrets)

    def token_request(self, method, settings, secrets, *, now, jti, refresh):
        """A form with the token in it."""
        return TokenRequest(url="https://silent.example/token", form={"t": secrets["token"]})

    def clock_differs(self, status, body):
        """Never."""
        return False

    def read_token(self, status, body, *, now, retry_after_s=None):
        """Good for an hour."""
        return Token(access=body.decode(), expires_at=now + timedelta(hours=1))
