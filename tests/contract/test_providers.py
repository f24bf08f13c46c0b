"""Every provider that receives keeps the contract; a folder that is dropped in is tested as is."""

import pytest

from contract.provider_checks import PROVIDER_CHECKS, SAMPLE_CHECKS
from contract.provider_kit import samples_of
from inkwire.providers.registry import registry

PROVIDERS = registry().receiving()
SAMPLES = [sample for provider in PROVIDERS for sample in samples_of(provider)]


@pytest.mark.parametrize("check", SAMPLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.provider.name}:{one.case.name}")
def test_every_sample(sample, check):
    """Each sample of each provider is signed, proven, refused and read as the check says."""
    check(sample)


@pytest.mark.parametrize("check", PROVIDER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_provider(provider, check):
    """Each provider as a whole does what the check says, whatever it is fed."""
    check(provider)
