"""Settings of one Inkwire process: environment variables, read once at start.

The table in docs/reference/settings.md is made from the fields below. What the store holds
(sources, users …) is no setting; see `inkwire.toml` in docs/how-to/declare-sources.md.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from inkwire.errors import ConfigError

MIB = 1024 * 1024


class Settings(BaseSettings):
    """Every setting, with its unit, default and help. Environment names start with `INKWIRE_`."""

    model_config = SettingsConfigDict(
        env_prefix="INKWIRE_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        Path("inkwire-data"),
        description="Folder of the SQLite file and the master key (mode 0700).",
    )
    database_url: SecretStr | None = Field(
        None,
        description="`postgresql://user:password@host/database`; unset: SQLite in the data folder.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="Port to listen on.")
    public_url: str | None = Field(
        None,
        description="The https address that providers reach this hub at, e.g. `https://hooks.example.com`.",
    )
    web_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="Web processes that `serve` runs side by side; connections are shared out "
        "among them. More take more webhooks a second where cores are free (80 MB each).",
    )
    environment: str = Field(
        "development", max_length=32, description="Name shown in the console's top bar."
    )
    config_file: Path = Field(
        Path("inkwire.toml"), description="Declared sources; applied at start if the file exists."
    )
    master_key: SecretStr | None = Field(
        None,
        description="Master key(s), base64 of 32 bytes, the current one first, comma-separated; "
        "unset: the file `master.key` in the data folder.",
    )
    master_key_command: str | None = Field(
        None,
        description="Command that prints the master key(s), e.g. a call to your secret manager.",
    )
    max_body_bytes: Annotated[int, Field(ge=1024, le=256 * MIB)] = Field(
        16 * MIB, description="Largest webhook body, in bytes; a source can set its own."
    )
    body_timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(
        10, description="Seconds within which a webhook's body must be complete (else 408)."
    )
    answer_timeout_s: Annotated[float, Field(gt=0, le=30)] = Field(
        1.8,
        description="Seconds a commit may take before the provider gets 503 (some wait 2 s only).",
    )
    backlog_requests: Annotated[int, Field(ge=1)] = Field(
        2_000, description="Requests waiting for a commit before the provider gets 503."
    )
    backlog_bytes: Annotated[int, Field(ge=1024)] = Field(
        128 * MIB, description="Bytes held in memory for requests in progress before 503."
    )
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * MIB,
        description="Free bytes below which the hub answers 503 and stores nothing (SQLite).",
    )
    dedupe_window_s: Annotated[int, Field(ge=60)] = Field(
        48 * 3600, description="Seconds within which equal content counts as a probable duplicate."
    )
    rejected_rows: Annotated[int, Field(ge=100)] = Field(
        10_000, description="Rows that the rejected log keeps."
    )
    quarantine_rows: Annotated[int, Field(ge=10)] = Field(
        10_000, description="Quarantined requests kept per source; further ones are only counted."
    )
    session_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        12, description="Hours after which the console asks to sign in again."
    )
    shutdown_grace_s: Annotated[float, Field(gt=0, le=300)] = Field(
        15, description="Seconds that a stopping process gives to requests in progress."
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses (comma-separated) whose X-Forwarded-* headers are believed.",
    )
    outbound_allow: str = Field(
        "",
        description="Networks (CIDR, comma-separated) that webhooks may reach although they are "
        "private, e.g. `10.20.0.0/16`.",
    )
    outbound_proxy: str | None = Field(
        None,
        description="HTTP proxy that all webhooks go through, `http://host:port`; it resolves "
        "names, and must refuse private addresses itself.",
    )
    outbound_ca_file: Path | None = Field(
        None, description="Further certificate authorities that endpoints may use (PEM)."
    )
    deliveries_in_flight: Annotated[int, Field(ge=1, le=2000)] = Field(
        200,
        description="Webhook requests that a worker sends at the same time, not counting those "
        "(up to 2,000) that have waited for an answer for more than a second.",
    )
    runs_in_flight: Annotated[int, Field(ge=1, le=500)] = Field(
        32, description="Runs of integrations that a worker executes at the same time."
    )
    settle_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        120,
        description="Seconds after which an external create whose outcome is unknown is looked "
        "for, before anything is sent again.",
    )
    executor_dead_after_s: Annotated[float, Field(ge=10, le=3600)] = Field(
        25, description="Seconds without a heartbeat after which a worker's runs are taken over."
    )
    run_retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        30, description="Days for which steps and calls of ended runs are kept."
    )
    webhooks_per_application: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="Webhooks that one application may have."
    )
    api_burst: Annotated[int, Field(ge=1)] = Field(
        30, description="Requests that an application may make at once (BoxC's bucket)."
    )
    api_per_second: Annotated[float, Field(gt=0)] = Field(
        2, description="Requests a second that an application may go on making."
    )
    blob_url: str | None = Field(
        None,
        description="Where the bytes of documents are kept, sealed: `s3://bucket/prefix`, `gs://…` "
        "or `az://…`, with credentials from the usual variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`); "
        "unset: the folder `blobs` in the data folder. Several machines need one.",
    )
    max_document_bytes: Annotated[int, Field(ge=1024, le=2048 * MIB)] = Field(
        100 * MIB, description="Largest document that is kept, in bytes."
    )
    trust_file: Path | None = Field(
        None,
        description="Certificates (PEM) that signatures in PDFs are trusted by; unset: the verdict "
        "says who signed by the certificate only.",
    )
    clock_file: Path | None = Field(
        None,
        description="For demos and tests only: a file with the seconds that this hub's clock is "
        "ahead of the machine's (negative: behind), and a line break.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`auto`: readable on a terminal, JSON lines otherwise."
    )

    @field_validator("public_url")
    @classmethod
    def _clean_url(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("must look like https://hooks.example.com")
        return value.rstrip("/")

    @field_validator("blob_url")
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("s3", "gs", "az") or not parts.hostname:
            raise ValueError("must look like s3://bucket/prefix, gs://… or az://…")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("holds no credentials and no options; those are variables")
        return value.rstrip("/")

    @cached_property
    def store_url(self) -> str:
        """Database URL of the store; contains a password, so never show it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'inkwire.db').absolute()}"

    @property
    def base_url(self) -> str:
        """The public URL, or the address this process listens on; no trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, `overrides` (not None) first.

    Raises ConfigError that names each wrong one.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type] # pydantic checks and converts them
    except ValidationError as error:
        wrong = "; ".join(
            f"INKWIRE_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise ConfigError(f"These settings are wrong: {wrong}.") from None
