"""What holds for all tests, and their stores: one that takes `new_store` runs on each kind."""

from __future__ import annotations

import itertools
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.redis_servers import RedisServer, one_server

# No test asserts a time: a busy machine is no defect.
settings.register_profile("callsieve", deadline=None)
# Every step is several times slower under the sanitizers.
settings.register_profile("sanitized", deadline=None, max_examples=25)
settings.load_profile("callsieve")

_numbers = itertools.count(1)

ROOT = Path(__file__).parents[1]


def pytest_configure() -> None:
    """Not a test without this: of Python that is compiled, the tests see what was compiled last."""
    for types in ROOT.glob("*/*.pxd"):
        source = types.with_suffix(".py")
        compiled = types.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
        if source.exists() and not (
            compiled.exists() and compiled.stat().st_mtime >= source.stat().st_mtime
        ):
            pytest.exit(f"{source.relative_to(ROOT)} is newer than its compiled module: make build")


NewStore = Callable[[], str]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share: each store in it has a prefix of its own."""
    with one_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def new_redis_store(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NewStore:
    """Gives the URL of a store that is not there yet."""
    monkeypatch.setenv("CALLSIEVE_NODE_DIRECTORY", str(tmp_path / "node"))
    return lambda: redis_server.url(prefix=f"store{next(_numbers)}")


@pytest.fixture
def new_csv_store(tmp_path: Path) -> NewStore:
    """Gives the URL of a store that is not there yet."""
    return lambda: f"csv:{tmp_path / f'store{next(_numbers)}'}"


@pytest.fixture(params=["csv", "redis"])
def new_store(request: pytest.FixtureRequest) -> NewStore:
    """Gives the URL of a store that is not there yet, of each kind."""
    made: NewStore = request.getfixturevalue(f"new_{request.param}_store")
    return made
