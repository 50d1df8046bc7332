"""What the URL of a Redis store may say."""

import pytest

from loader.redis_url import RedisPlace, parse_redis_url
from loader.store import BadValueError, open_store


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://pbx1", {"hosts": (("pbx1", 6379),), "kind": "single", "replicas": 0}),
        ("redis://[::1]:7000/3", {"hosts": (("::1", 7000),), "database": 3}),
        ("rediss://pbx1?ca=/etc/ca.pem", {"tls": True, "ca": "/etc/ca.pem"}),
        (
            "redis+sentinel://s1,s2:26380/my%20master/2?prefix=berlin&replicas=2",
            {
                "kind": "sentinel",
                "hosts": (("s1", 26379), ("s2", 26380)),
                "service": "my master",
                "database": 2,
                "prefix": "berlin",
                "replicas": 2,
            },
        ),
        ("rediss+sentinel://s1/m", {"tls": True, "kind": "sentinel", "replicas": 1}),
        (
            "redis+cluster://a:1,b:2?replicas=0&changes=100",
            {"kind": "cluster", "hosts": (("a", 1), ("b", 2)), "replicas": 0, "changes": 100},
        ),
    ],
)
def test_a_url_says_servers_and_keys(url: str, expected: dict[str, object]) -> None:
    place = parse_redis_url(url)
    assert {name: getattr(place, name) for name in expected} == expected
    assert isinstance(place, RedisPlace)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://user:hunter2@pbx1", "no user and no password in the URL"),
        ("rediss://:hunter2@pbx1/0", "CALLSIEVE_REDIS_PASSWORD_FILE"),
        ("redis+sentinel://:hunter2@s1,s2/m", "no user and no password in the URL"),
        ("redis://", "expected HOST or HOST:PORT, found ''"),
        ("redis://a b", "expected HOST or HOST:PORT, found 'a b'"),
        ("redis://pbx1:0", "expected HOST or HOST:PORT"),
        ("redis://pbx1:65536", "expected HOST or HOST:PORT"),
        ("redis://a,b", "expected one server, found 2"),
        ("redis://pbx1/x", "database: expected its number, found '/x'"),
        ("redis://pbx1/0/1", "database: expected its number"),
        ("redis+cluster://a/1", "a Cluster has one database"),
        ("redis+sentinel://s1", "the name that the Sentinels know the master by"),
        ("redis://pbx1?prefix=a:b", "prefix: expected 1 to 64 letters"),
        ("redis://pbx1?prefix=..", "prefix: expected"),
        ("redis://pbx1?prefix={a}", "prefix: expected"),
        ("redis://pbx1?replicas=-1", "replicas: expected a number from 0 to 10"),
        ("redis://pbx1?changes=0", "changes: expected a number from 1"),
        ("redis://pbx1?password=hunter2", "expected options among"),
        ("redis://pbx1?prefix=a&prefix=b", "each once"),
        ("redis://pbx1#x", "expected no #"),
        ("redis+unix://x", "expected one of redis"),
    ],
)
def test_a_url_that_cannot_be_right_is_refused_without_showing_a_password(
    url: str, problem: str
) -> None:
    with pytest.raises(BadValueError) as caught:
        open_store(url)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)
