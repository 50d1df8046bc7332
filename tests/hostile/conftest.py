"""Files for the tests to alter."""

import pytest

from tests.support.altered_files import small_file


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The small snapshot of tests/support/altered_files.py."""
    return small_file(tmp_path_factory.mktemp("good"))
