"""Sources declared in `inkwire.toml`: read whole, checked whole, then applied.

    [[source]]
    id = "box-main"
    provider = "box"
    name = "Box, production"
    settings = { tolerance_s = 600 }
    event_types = ["box.FILE.UPLOADED"]
    secrets = { primary = "env:BOX_PRIMARY_KEY", secondary = "file:/run/secrets/box-secondary" }

Secrets stand there only as references, so that the file can be kept under version control.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from inkwire.errors import ConfigError, InvalidInput
from inkwire.model.source import ManagedBy, Source
from inkwire.sources.desk import FILE, SourceChange, SourceDesk, SourceDraft

#: Seconds for which a secret that changed in the file is still accepted: one day.
OVERLAP_S = 24 * 3600
#: Largest file that a `file:` reference may name, in bytes.
MAX_SECRET_FILE = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What an apply did, by source id."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    #: No longer in the file: handed to the console and paused.
    released: tuple[str, ...] = ()


class _Entry(BaseModel):
    """One `[[source]]` as it stands in the file."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    id: str
    provider: str
    name: str | None = None
    settings: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    event_types: list[str] = []
    document_ids: list[str] = []
    max_body_bytes: int | None = None
    paused: bool = False


def apply(desk: SourceDesk, path: Path, *, environ: Mapping[str, str] = os.environ) -> Applied:
    """Makes the sources in the store as the file says; a second time changes nothing.

    Raises ConfigError naming file, source and key of everything that is wrong, before anything
    is changed. Secrets come from `environ` (`env:NAME`) and from files (`file:/path`, relative
    to the file's folder).
    """
    drafts = read(path, environ)
    present = {source.id: source for source in desk.all(FILE)}
    checked = _checked(desk, path, drafts, present)
    held = desk.holds(FILE, {draft.id: draft.secrets for draft in drafts})
    done: dict[str, list[str]] = {"created": [], "updated": [], "unchanged": [], "released": []}
    for draft in drafts:
        if draft.id not in present:
            desk.create(FILE, draft)
            done["created"].append(draft.id)
        else:
            old, new = present[draft.id], checked[draft.id]
            changed = _update(desk, old, new, draft.secrets, held[draft.id])
            done["updated" if changed else "unchanged"].append(draft.id)
    for source in present.values():
        if source.managed_by is ManagedBy.FILE and source.id not in checked:
            desk.undeclare(FILE, source.id)
            done["released"].append(source.id)
    return Applied(**{key: tuple(ids) for key, ids in done.items()})


def read(path: Path, environ: Mapping[str, str]) -> list[SourceDraft]:
    """The sources that the file declares, secrets filled in. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}; create it, or name another.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    rows = table.pop("source", [])
    problems = [f"{key}: is no key here; sources stand under [[source]]" for key in table]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        rows = []
        problems.append("source: must be tables, each under [[source]] (two brackets)")
    drafts = []
    for number, row in enumerate(rows, 1):
        where = f"source {row['id']}" if isinstance(row.get("id"), str) else f"source no. {number}"
        try:
            drafts.append(_draft(_Entry.model_validate(row), path.parent, environ))
        except ValidationError as error:
            problems += [f"{where}, {text}" for text in _said(error)]
        except InvalidInput as error:
            problems += [f"{where}, {key}: {text}" for key, text in error.fields.items()]
    _refuse(path, problems)
    return drafts


def _draft(entry: _Entry, folder: Path, environ: Mapping[str, str]) -> SourceDraft:
    wrong: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for role, reference in entry.secrets.items():
        try:
            secrets[role] = _resolved(reference, folder, environ)
        except ValueError as error:
            wrong[f"secrets.{role}"] = str(error)
    if wrong:
        raise InvalidInput(fields=wrong)
    return SourceDraft(
        id=entry.id,
        provider=entry.provider,
        name=entry.id if entry.name is None else entry.name,
        settings=entry.settings,
        secrets=secrets,
        event_types=tuple(entry.event_types),
        document_ids=tuple(entry.document_ids),
        max_body_bytes=entry.max_body_bytes,
        paused=entry.paused,
        managed_by=ManagedBy.FILE,
    )


def _resolved(reference: str, folder: Path, environ: Mapping[str, str]) -> str:
    """The secret behind a reference. Raises ValueError with a sentence; never repeats a secret."""
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set")
        return environ[name]
    if kind == "file" and name:
        try:
            with (folder / name).open("rb") as file:
                content = file.read(MAX_SECRET_FILE + 1)
            text = content.decode("utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ValueError(f"the file {name} cannot be read: {reason}") from None
        if len(content) > MAX_SECRET_FILE:
            raise ValueError(f"the file {name} is larger than {MAX_SECRET_FILE} bytes")
        return text.removesuffix("\n").removesuffix("\r")
    raise ValueError(
        "must be `env:NAME` or `file:/path`; the secret itself does not belong in this file"
    )


def _checked(
    desk: SourceDesk, path: Path, drafts: list[SourceDraft], present: Mapping[str, Source]
) -> dict[str, Source]:
    checked: dict[str, Source] = {}
    problems: list[str] = []
    for draft in drafts:
        where = f"source {draft.id}"
        if draft.id in checked:
            problems.append(f"{where}, id: stands twice in the file")
        try:
            checked[draft.id] = desk.check(draft)
        except InvalidInput as error:
            problems += [f"{where}, {key}: {text}" for key, text in error.fields.items()]
        old = present.get(draft.id)
        if old is not None and old.provider != draft.provider:
            problems.append(
                f"{where}, provider: is {old.provider} in the store and cannot change; "
                "choose another id"
            )
    _refuse(path, problems)
    return checked


def _update(
    desk: SourceDesk, old: Source, new: Source, secrets: Mapping[str, str], held: set[str]
) -> bool:
    """Brings a present source to what the file says; returns whether anything changed.

    `held`: roles of `secrets` that need no rotation.
    """
    change = SourceChange(
        name=new.name,
        settings=new.settings,
        event_types=new.event_types,
        document_ids=new.document_ids,
        max_body_bytes=new.max_body_bytes,
        paused=new.paused,
        managed_by=ManagedBy.FILE,
    )
    changed = desk.update(FILE, old.id, change) != old
    for role in sorted(secrets.keys() - held):
        desk.rotate(FILE, old.id, role=role, value=secrets[role], overlap_s=OVERLAP_S)
        changed = True
    for secret in old.secrets:
        if secret.role not in secrets and secret.expires_at is None:
            desk.remove_secret(FILE, old.id, secret.id)
            changed = True
    return changed


def _said(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            yield f"{key}: is no key of a source; there are: {', '.join(_Entry.model_fields)}"
        else:
            yield f"{key}: {item['msg'][:1].lower()}{item['msg'][1:]}"


def _refuse(path: Path, problems: list[str]) -> None:
    if problems:
        listed = "".join(f"\n- {_one_line(problem)}" for problem in problems)
        raise ConfigError(f"{path} was not applied:{listed}")


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())
