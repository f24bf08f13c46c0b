"""`/v1/api-keys`, `/v1/users`, `/v1/audit`: who may do what, and who did what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field, SecretStr

from inkwire.access.gate import MAX_KEY_NAME
from inkwire.access.passwords import MAX_LENGTH, MIN_LENGTH
from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Next, Output, Page, Text
from inkwire.api.parts import With
from inkwire.model.access import Caller, Role, Scope

router = APIRouter(tags=["Access"])

Admin = Annotated[Caller, Allowed(Scope.ACCESS)]
_Password = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
_UserName = Annotated[Text, Field(min_length=1, max_length=64)]


class ApiKeyOut(Output):
    """An API key: everything but the key."""

    id: str
    name: str
    hint: str = Field(description="Its first characters.", examples=["ink_a1B2c3"])
    scopes: Annotated[list[Scope], BeforeValidator(sorted)]
    created_at: datetime
    created_by: str
    application_id: str | None = Field(
        description="The only application that it reaches; null: an operator's."
    )
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None


class ApiKeysOut(Output):
    """Every API key, revoked ones too, newest first."""

    items: list[ApiKeyOut]


class ApiKeyIn(Input):
    """An API key to be made."""

    name: Annotated[Text, Field(min_length=1, max_length=MAX_KEY_NAME)] = Field(
        description="What it is for.", examples=["Nightly export"]
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = Field(
        description="What it reaches; none that the key which makes it does not hold.",
        examples=[["events:read"]],
    )


class ApiKeyCreated(Output):
    """A new API key."""

    api_key: ApiKeyOut
    key: str = Field(description="The key itself. It is not shown again.", examples=["ink_…"])


class UserOut(Output):
    """A person who signs in to the console."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime


class UsersOut(Output):
    """Every user, by name."""

    items: list[UserOut]


class UserIn(Input):
    """A user to be added."""

    name: _UserName = Field(
        description="Sign-in name: letters, digits and . _ @ + -, kept in lower case.",
        examples=["ada"],
    )
    password: _Password
    role: Role


class UserPatch(Input):
    """Fields to be changed; what is absent or null stays. Their sessions end."""

    role: Role | None = None
    disabled: bool | None = None


class PasswordIn(Input):
    """A new password. Their sessions end."""

    password: _Password


class AuditOut(Output):
    """One change, who made it and when."""

    id: str
    at: datetime
    actor: str = Field(description="`user:NAME`, `key:ID`, `portal:APPLICATION`, `cli` or `file`.")
    action: str = Field(examples=["source.create"])
    target: str = Field(description="The object's id.")
    detail: Mapping[str, str]


class AuditPage(Output):
    """A page of the audit log, newest first."""

    items: list[AuditOut]
    next: Next


@router.get("/api-keys", summary="List API keys")
def list_api_keys(parts: With, caller: Admin) -> ApiKeysOut:
    """Every API key, without the keys themselves."""
    return ApiKeysOut(items=[ApiKeyOut.of(key) for key in parts.gate.api_keys(caller)])


@router.post("/api-keys", summary="Make an API key", status_code=201)
def create_api_key(body: ApiKeyIn, parts: With, caller: Admin) -> ApiKeyCreated:
    """A new key with some of the caller's own scopes."""
    key, text = parts.gate.add_api_key(caller, name=body.name, scopes=frozenset(body.scopes))
    return ApiKeyCreated(api_key=ApiKeyOut.of(key), key=text)


@router.delete("/api-keys/{key_id}", summary="Revoke an API key", status_code=204)
def revoke_api_key(key_id: Id, parts: With, caller: Admin) -> None:
    """Ends a key at once; revoking it again changes nothing."""
    parts.gate.revoke_api_key(caller, key_id)


@router.get("/users", summary="List users")
def list_users(parts: With, caller: Admin) -> UsersOut:
    """Everybody who may sign in to the console."""
    return UsersOut(items=[UserOut.of(user) for user in parts.gate.users(caller)])


@router.post("/users", summary="Add a user", status_code=201)
def create_user(body: UserIn, parts: With, caller: Admin, response: Response) -> UserOut:
    """A person who may sign in, with a first password."""
    user = parts.gate.add_user(
        caller, name=body.name, password=body.password.get_secret_value(), role=body.role
    )
    response.headers["Location"] = f"/v1/users/{user.name}"
    return UserOut.of(user)


@router.get("/users/{name}", summary="Read a user")
def read_user(name: Id, parts: With, caller: Admin) -> UserOut:
    """One user, by sign-in name."""
    return UserOut.of(parts.gate.user(caller, name))


@router.patch("/users/{name}", summary="Change a user")
def change_user(name: Id, body: UserPatch, parts: With, caller: Admin) -> UserOut:
    """Changes role or disables; the last administrator stays one."""
    return UserOut.of(parts.gate.change_user(caller, name, role=body.role, disabled=body.disabled))


@router.put("/users/{name}/password", summary="Set a user's password", status_code=204)
def set_password(name: Id, body: PasswordIn, parts: With, caller: Admin) -> None:
    """Gives a user a new password and ends their sessions."""
    parts.gate.set_password(caller, name, body.password.get_secret_value())


@router.get("/audit", summary="Read the audit log")
def list_audit(parts: With, caller: Admin, page: Annotated[Page, Query()]) -> AuditPage:
    """Every change, newest first."""
    entries = parts.gate.audit(caller, before=page.before, limit=page.limit)
    return AuditPage(items=[AuditOut.of(entry) for entry in entries], next=page.next_of(entries))
