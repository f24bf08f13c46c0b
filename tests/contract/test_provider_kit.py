"""The contract suite can fail: each rule is broken on purpose, and its check must notice."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from contract import provider_checks as checks
from contract.provider_kit import NOW, SALTS, fitting_texts, samples_of, secret_text
from inkwire.errors import Unparsable
from inkwire.model.request import Reply
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.box import PROVIDER
from inkwire.providers.box.receive import BoxReceiver
from inkwire.providers.contract import SecretField, SettingField, SettingKind


class AcceptsAll(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        return Accepted(secret_id="sec_right_primary", signed_at=NOW)


class NeverLate(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        verdict = super().verify(request, secrets, settings, now)
        return getattr(verdict, "proof", None) or verdict


class LateWithoutProof(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        verdict = super().verify(request, secrets, settings, now)
        late = isinstance(verdict, Refused) and verdict.reason is Reason.STALE
        return Refused(reason=Reason.STALE, detail="Late.") if late else verdict


class OneSecondOff(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        return super().verify(request, secrets, settings, now - timedelta(seconds=1))


class CanBeSwitchedOff(BoxReceiver):
    settings = (
        *BoxReceiver.settings,
        SettingField(
            key="check",
            label="Check signatures",
            help="Whether signatures are checked.",
            kind=SettingKind.SWITCH,
            default=True,
        ),
    )

    def verify(self, request, secrets, settings, now):
        if not settings["check"]:
            return Accepted(secret_id="none")
        return super().verify(request, secrets, settings, now)


class FirstSecretOnly(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        return super().verify(request, secrets[:1], settings, now)


class NeedsOrder(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        assert request.headers[0][0] == b"content-type"
        return super().verify(request, secrets, settings, now)


class TakesLastOfRepeats(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        once = tuple(dict(request.headers).items())
        return super().verify(replace(request, headers=once), secrets, settings, now)


class NoSecretNoCheck(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        if not any(secret.role in ("primary", "secondary") for secret in secrets):
            return Accepted(secret_id="none")
        return super().verify(request, secrets, settings, now)


class TellsSecret(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        verdict = super().verify(request, secrets, settings, now)
        if isinstance(verdict, Refused):
            return replace(verdict, detail=f"Not signed with {secrets[0].value.decode()}.")
        return replace(verdict, secret_id=secrets[0].value.decode())


class BreaksOnBytes(BoxReceiver):
    def verify(self, request, secrets, settings, now):
        for _, value in request.headers:
            value.decode("ascii")
        return super().verify(request, secrets, settings, now)


class WrongEntity(BoxReceiver):
    def parse(self, request, body, settings):
        return tuple(
            replace(event, entity_key="box:file:0")
            for event in super().parse(request, body, settings)
        )


class KeyOfDelivery(BoxReceiver):
    def parse(self, request, body, settings):
        stamp = request.values(b"box-delivery-timestamp")[0]
        return tuple(
            replace(event, dedupe_key=stamp) for event in super().parse(request, body, settings)
        )


class BreaksOnShape(BoxReceiver):
    def parse(self, request, body, settings):
        events = super().parse(request, body, settings)
        if events[0].payload["trigger"] == "":
            raise Unparsable
        return events


class LongTypes(BoxReceiver):
    def parse(self, request, body, settings):
        return tuple(
            replace(event, type=f"box.{event.payload.get('trigger')}")
            for event in super().parse(request, body, settings)
        )


class NeverFresh(BoxReceiver):
    def fresh(self, body, token):
        return body


class Redirects(BoxReceiver):
    def reply(self, events):
        return Reply(status=302)


class NoAdvice(BoxReceiver):
    def hint(self, refused):
        return ""


class Undescribed(BoxReceiver):
    settings = tuple(replace(field, help="") for field in BoxReceiver.settings)


class Unbounded(BoxReceiver):
    settings = tuple(replace(field, maximum=None) for field in BoxReceiver.settings)


class ForeignTypes(BoxReceiver):
    event_types: Mapping[str, str] = {"FILE.UPLOADED": "A file was uploaded."}


class AcceptsAnyBody(BoxReceiver):
    """Looks at nothing once the headers are there, as if a secret alone spoke for the sender."""

    def verify(self, request, secrets, settings, now):
        if request.values(b"box-signature-primary"):
            return Accepted(secret_id="sec_right_primary", signed_at=NOW)
        return super().verify(request, secrets, settings, now)


BROKEN = (
    (NeedsOrder, checks.check_round_trip),
    (AcceptsAll, checks.check_tampered_body),
    (AcceptsAll, checks.check_wrong_secret),
    (TellsSecret, checks.check_wrong_secret),
    (AcceptsAll, checks.check_unsigned),
    (AcceptsAll, checks.check_header_forms),
    (TakesLastOfRepeats, checks.check_header_forms),
    (NeverLate, checks.check_lateness),
    (LateWithoutProof, checks.check_lateness),
    (OneSecondOff, checks.check_lateness),
    (FirstSecretOnly, checks.check_rotation),
    (AcceptsAll, checks.check_no_off_switch),
    (CanBeSwitchedOff, checks.check_no_off_switch),
    (WrongEntity, checks.check_expected_events),
    (KeyOfDelivery, checks.check_repeat_has_same_keys),
    (NeverFresh, checks.check_fresh),
    (Redirects, checks.check_reply),
    (Undescribed, checks.check_described),
    (Unbounded, checks.check_described),
    (ForeignTypes, checks.check_described),
    (NoAdvice, checks.check_hints),
    (NoSecretNoCheck, checks.check_no_secret),
    (NeverLate, checks.check_tolerance_is_used),
    (BreaksOnBytes, checks.check_verify_never_raises),
    (AcceptsAll, checks.check_verify_never_raises),
    (BreaksOnShape, checks.check_parse_never_breaks),
    (LongTypes, checks.check_parse_never_breaks),
    (TellsSecret, checks.check_secrets_stay_hidden),
)


@pytest.mark.parametrize(
    ("broken", "check"), BROKEN, ids=lambda part: getattr(part, "__name__", str(part))
)
def test_check_notices(broken, check):
    """A receiver that breaks one rule fails the check of that rule."""
    provider = replace(PROVIDER, receive=broken())
    subjects = samples_of(provider) if check in checks.SAMPLE_CHECKS else [provider]
    with pytest.raises((AssertionError, KeyError, UnicodeDecodeError)):
        for subject in subjects:
            check(subject)


@pytest.mark.parametrize(
    "check", [checks.check_tampered_body, checks.check_no_off_switch, checks.check_wrong_secret]
)
def test_a_proof_without_the_body_is_still_a_proof(check):
    """Who says that its proof does not cover the body must still refuse any other secret."""
    provider = replace(PROVIDER, receive=AcceptsAnyBody(), proves_body=False)
    with pytest.raises(AssertionError):
        for sample in samples_of(provider):
            check(sample)


def write_package(folder, *, manual, table, files):
    """A package with a manual and samples, as a third party would ship it."""
    (folder / "cases").mkdir(parents=True)
    (folder / "__init__.py").write_text("", "utf-8")
    (folder / "manual.md").write_text(manual, "utf-8")
    (folder / "cases" / "cases.toml").write_text(table, "utf-8")
    for name in files:
        (folder / "cases" / name).write_bytes(b'{"id":"1","trigger":"FILE.UPLOADED"}')


ONE_CASE = """[[case]]
name = "one"
file = "one.json"
note = "The one sample."
expect = [{ type = "box.FILE.UPLOADED" }]
"""


@pytest.mark.parametrize(
    ("check", "name", "changes"),
    [
        (checks.check_manual, "kit_no_url", {"manual": "# Title\n\n" + "No address. " * 60}),
        (checks.check_manual, "kit_short", {"manual": "# Title\n\n{url}\n"}),
        (checks.check_cases, "kit_stray", {"files": ("one.json", "two.json")}),
        (checks.check_cases, "kit_twice", {"table": ONE_CASE * 2}),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_check_notices_folder(check, name, changes, tmp_path, monkeypatch):
    """A folder whose manual or samples are not in order fails, and one in order passes."""
    monkeypatch.syspath_prepend(tmp_path)
    good = {"manual": "# Title\n\n{url}\n" + "Words. " * 100, "table": ONE_CASE}
    good["files"] = ("one.json",)
    write_package(tmp_path / f"{name}_good", **good)
    write_package(tmp_path / name, **(good | changes))
    check(replace(PROVIDER, package=f"{name}_good"))
    with pytest.raises(AssertionError):
        check(replace(PROVIDER, package=name))


def test_every_check_has_a_breaker():
    """No check of the suite is without a provider that fails it."""
    broken = {check for _, check in BROKEN} | {checks.check_manual, checks.check_cases}
    assert broken == {*checks.SAMPLE_CHECKS, *checks.PROVIDER_CHECKS}


def test_secrets_of_a_pattern_differ():
    """A provider with a strict form of secrets gets a different one for each purpose."""
    field = SecretField(
        role="key",
        label="Key",
        help="A key of a strict form.",
        min_length=10,
        max_length=10,
        pattern="k_[0-9a-f]{8}",
        pattern_help="must be k_ and 8 hex digits",
    )
    texts = [secret_text(field, salt) for salt in SALTS]
    assert len(set(texts)) == len(SALTS)
    assert tuple(texts) == fitting_texts(field)
