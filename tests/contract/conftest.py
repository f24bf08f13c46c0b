"""Lets pytest explain the assertions of the shared checks as it does those of tests."""

import pytest

pytest.register_assert_rewrite("contract.provider_checks", "contract.provider_kit")
