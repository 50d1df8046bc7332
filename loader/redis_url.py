"""The URL of a Redis store: which servers, which of their databases, which keys.

    redis://HOST[:PORT][/DB]                            one server
    redis+sentinel://HOST[:PORT],HOST[:PORT]/SERVICE[/DB]    the master that the Sentinels name
    redis+cluster://HOST[:PORT],HOST[:PORT]             a Cluster, found through any of its nodes

`rediss` in place of `redis` is the same over TLS. Options follow a `?`: see _OPTIONS. User and
password never stand in a URL, which everybody on the machine can read in the process list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from loader.store import BadValueError, quoted

Kind = Literal["single", "sentinel", "cluster"]

_KINDS: Mapping[str, Kind] = {
    "redis": "single",
    "redis+sentinel": "sentinel",
    "redis+cluster": "cluster",
}
SCHEMES = (*_KINDS, *(name.replace("redis", "rediss", 1) for name in _KINDS))
_PORTS: Mapping[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_OPTIONS = ("prefix", "replicas", "changes", "ca", "cert", "key")
DEFAULT_PREFIX = "callsieve"
# A change of one number takes some 100 bytes in the stream.
DEFAULT_CHANGES = 20_000
MAX_REPLICAS = 10


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """What a URL says.

    prefix: of every key, in braces: a Cluster then keeps the store on one node, where a change is
    one step. replicas: how many must confirm a change before it counts as made. changes: how many
    the change stream keeps for nodes that were away. ca, cert, key: files, for TLS.
    """

    url: str
    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    database: int = 0
    service: str = ""
    prefix: str = DEFAULT_PREFIX
    replicas: int = 0
    changes: int = DEFAULT_CHANGES
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


def parse_redis_url(url: str) -> RedisPlace:
    """Raises BadValueError; its text never holds a password."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise BadValueError(f"store: expected one of {', '.join(SCHEMES)}, found {quoted(scheme)}")
    if "@" in re.split(r"[/?#]", rest)[0]:
        raise BadValueError(
            f"store: {scheme}://...: expected no user and no password in the URL, where the process"
            " list shows them; put them into CALLSIEVE_REDIS_USERNAME and CALLSIEVE_REDIS_PASSWORD,"
            " or name a file in CALLSIEVE_REDIS_PASSWORD_FILE"
        )
    kind = _KINDS[scheme.replace("rediss", "redis", 1)]
    parts = urlsplit(url)
    if parts.fragment:
        raise BadValueError(f"store: expected no # in the URL, found {quoted(url)}")
    options = _options(parts.query)
    service, database = _path(kind, parts.path)
    return RedisPlace(
        url=url,
        kind=kind,
        hosts=_hosts(kind, parts.netloc),
        tls=scheme.startswith("rediss"),
        database=database,
        service=service,
        prefix=_prefix(options.get("prefix", DEFAULT_PREFIX)),
        replicas=_number(options, "replicas", 0 if kind == "single" else 1, 0, MAX_REPLICAS),
        changes=_number(options, "changes", DEFAULT_CHANGES, 1, 10_000_000),
        ca=options.get("ca"),
        cert=options.get("cert"),
        key=options.get("key"),
    )


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS or name in options or not value:
            raise BadValueError(
                f"store: expected options among {', '.join(_OPTIONS)}, each once and with a value,"
                f" found {quoted(name)}"
            )
        options[name] = value
    return options


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for one in text.split(","):
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", one)
        port = int(found[2] or _PORTS[kind]) if found else 0
        if not found or not 1 <= port <= 65535:
            raise BadValueError(f"store: expected HOST or HOST:PORT, found {quoted(one)}")
        hosts.append((found[1].strip("[]"), port))
    if kind == "single" and len(hosts) > 1:
        raise BadValueError(
            f"store: expected one server, found {len(hosts)};"
            " several are redis+sentinel:// or redis+cluster://"
        )
    return tuple(hosts)


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """Service and database."""
    parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    service = ""
    if kind == "sentinel":
        if not parts:
            raise BadValueError(
                "store: expected the name that the Sentinels know the master by, as in"
                " redis+sentinel://HOST:26379/mymaster"
            )
        service = parts.pop(0)
    if not parts:
        return service, 0
    if kind == "cluster" or len(parts) > 1 or not re.fullmatch(r"[0-9]{1,5}", parts[0]):
        expected = "nothing, a Cluster has one database" if kind == "cluster" else "its number"
        raise BadValueError(f"store: database: expected {expected}, found {quoted(path)}")
    return service, int(parts[0])


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text) or text.startswith("."):
        raise BadValueError(
            "store: prefix: expected 1 to 64 letters, digits, _ . or -, no dot first,"
            f" found {quoted(text)}"
        )
    return text


def _number(options: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise BadValueError(
            f"store: {name}: expected a number from {low} to {high}, found {quoted(text)}"
        )
    return int(text)
