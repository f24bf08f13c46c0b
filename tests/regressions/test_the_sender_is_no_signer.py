"""Box lists the sender among the signers, as a reader of the final copy, and often first."""

from inkwire.providers.box.client.reading import sign


def test_only_those_who_sign_count_as_signers():
    """The order once said that it waits for the signature of our own service account."""
    read = sign(
        {
            "id": "b1685f64",
            "status": "sent",
            "signers": [
                {"email": "AutomationUser_1@boxdevedition.com", "role": "final_copy_reader"},
                {"email": "jane.doe@example.com", "role": "signer"},
                {"email": "boss@example.com", "role": "approver"},
            ],
        }
    )
    assert read.signer_emails == ("jane.doe@example.com", "boss@example.com")
