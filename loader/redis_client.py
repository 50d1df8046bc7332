"""The connection to Redis: one server, the master behind Sentinels, or a Cluster."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from loader.redis_url import RedisPlace
from loader.store import BadValueError, StoreError, escaped, os_problem

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0  # the longest step, a change of some thousand numbers, takes 0.05 s
MAX_PASSWORD_BYTES = 4096


class StoreUnreachableError(StoreError):
    """No answer. What was asked for may or may not have been done; asking again does no harm."""


class RedisClient:
    """Commands to one store's servers, every failure a StoreError.

    Nothing is tried twice here: a caller that waits for a leg must not wait for a second try.
    """

    def __init__(self, place: RedisPlace, environment: Mapping[str, str] = os.environ) -> None:
        self._place = place
        self._environment = environment
        self._client: Any = None

    def call(self, *command: bytes | str | int) -> Any:
        """One command's answer; texts are bytes."""
        with self._errors():
            return self._connected().execute_command(*command)

    def script(self, text: str, keys: Sequence[str], arguments: Sequence[Any] = ()) -> Any:
        """A script's answer. Redis learns its text with the first call."""
        with self._errors():
            client = self._connected()
            parts = (len(keys), *keys, *arguments)
            try:
                return client.execute_command("EVALSHA", _digest(text), *parts)
            except NoScriptError:
                return client.execute_command("EVAL", text, *parts)

    def pipeline(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[Any]:
        """The answers to several commands, sent at once."""
        with self._errors():
            pipeline = self._connected().pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers

    def wait(self, key: str, replicas: int, milliseconds: int) -> int:
        """How many replicas have every change made so far, in at most that time."""
        with self._errors():
            client = self._connected()
            if isinstance(client, RedisCluster):
                node = client.get_node_from_key(key)
                return int(
                    client.execute_command("WAIT", replicas, milliseconds, target_nodes=node)
                )
            return int(client.execute_command("WAIT", replicas, milliseconds))

    def info(self, key: str, section: str) -> Mapping[str, Any]:
        """INFO of the server that has `key`."""
        with self._errors():
            client = self._connected()
            if isinstance(client, RedisCluster):
                found = client.info(section, target_nodes=client.get_node_from_key(key))
            else:
                found = client.info(section)
            return dict(found)

    def close(self) -> None:
        """The next command connects anew: to another master, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(RedisError, OSError):  # it may be closed because it is broken
                client.close()

    def _connected(self) -> Any:
        if self._client is None:
            self._client = _connect(self._place, self._environment)
        return self._client

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        where = self._place.url
        try:
            yield
        except (AuthenticationError, NoPermissionError) as error:
            raise StoreError(f"{where}: refused: {_text(error)}") from error
        except OutOfMemoryError as error:
            raise StoreError(
                f"{where}: out of memory (maxmemory): nothing was changed; {_text(error)}"
            ) from error
        except TimeoutError as error:
            self.close()
            raise StoreUnreachableError(f"{where}: no answer: {_text(error)}") from error
        except (ConnectionError, ReadOnlyError, RedisClusterException, OSError) as error:
            self.close()
            raise StoreUnreachableError(f"{where}: {_text(error)}") from error
        except RedisError as error:
            if "OOM" in str(error):  # from within a script, with other words before it
                raise StoreError(
                    f"{where}: out of memory (maxmemory): nothing was changed"
                ) from error
            raise StoreError(f"{where}: {_text(error)}") from error


def _digest(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def _text(error: Exception) -> str:
    return escaped(str(error), 300)


def _connect(place: RedisPlace, environment: Mapping[str, str]) -> Any:
    options: dict[str, Any] = {
        "username": environment.get("CALLSIEVE_REDIS_USERNAME") or None,
        "password": _password(environment, "CALLSIEVE_REDIS_PASSWORD"),
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if place.tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": place.ca,
            "ssl_certfile": place.cert,
            "ssl_keyfile": place.key,
        }
    if place.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in place.hosts]
        return RedisCluster(startup_nodes=nodes, **options)
    options["db"] = place.database
    if place.kind == "single":
        host, port = place.hosts[0]
        return Redis(host=host, port=port, **options)
    sentinel_options = options | {
        "username": environment.get("CALLSIEVE_SENTINEL_USERNAME") or None,
        "password": _password(environment, "CALLSIEVE_SENTINEL_PASSWORD"),
        "db": 0,
    }
    sentinel = Sentinel(place.hosts, sentinel_kwargs=sentinel_options, **options)
    return sentinel.master_for(place.service)


def _password(environment: Mapping[str, str], variable: str) -> str | None:
    """From the variable, or from the first line of the file that VARIABLE_FILE names.

    Raises BadValueError when both are set, StoreError when the file cannot be read.
    """
    password = environment.get(variable)
    file = environment.get(f"{variable}_FILE")
    if password and file:
        raise BadValueError(f"expected {variable} or {variable}_FILE, found both")
    if not file:
        return password or None
    path = Path(file)
    try:
        with path.open("rb") as opened:
            line = opened.read(MAX_PASSWORD_BYTES).partition(b"\n")[0]
    except OSError as error:
        raise StoreError(f"{variable}_FILE: {os_problem(error, path)}") from error
    try:
        return line.rstrip(b"\r").decode() or None
    except UnicodeDecodeError:
        raise StoreError(f"{variable}_FILE: {file}: expected UTF-8 text") from None
