"""The rules of a Redis store, and their changes in the change log."""

import hashlib

from loader.change_log import BrokenLogError, Change, Origin, RulesChange, this_process
from loader.redis_buckets import Buckets
from loader.redis_client import RedisClient
from loader.redis_log import RedisLog
from loader.redis_scripts import PUT_RULES
from loader.store import StoreError, rules_conflict, rules_version


class RedisRules:
    """url: of the store, for messages. Raises StoreError."""

    def __init__(self, client: RedisClient, buckets: Buckets, log: RedisLog, url: str) -> None:
        self._client = client
        self._buckets = buckets
        self._log = log
        self._url = url

    def text(self) -> str:
        key = self._buckets.key("rules")
        text = self._client.call("HGET", key, "text")
        try:
            if text is not None:
                return str(text.decode())
        except UnicodeDecodeError:
            raise StoreError(f"{self._url}: rules: expected UTF-8") from None
        raise StoreError(f"{self._url}: expected the rules, found no key {key}")

    def put(self, text: str, version: str, origin: Origin | None, what: str) -> bool:
        """As Store.put_rules; whether they were others."""
        before = self.text()
        if rules_version(before) != version:
            raise rules_conflict(rules_version(before), version)
        if before == text:
            return False
        change = RulesChange(*(hashlib.sha256(one.encode()).hexdigest() for one in (before, text)))
        keys = [self._buckets.key(one) for one in ("rules", "meta", "changes", "log", "texts")]
        found = b"logged"
        while found == b"logged":
            step = self._log.next(Change("", what, rules=change), origin or this_process())
            arguments = [text, rules_version(text), version, self._buckets.most_changes]
            arguments += [*step.arguments, change.before, change.after]
            found = self._client.script(PUT_RULES, keys, arguments)
        if found:
            raise rules_conflict(found.decode(), version)
        return True

    def kept(self, sha256: str) -> str:
        """As Store.kept_rules."""
        key = self._buckets.key("texts")
        text: bytes = self._client.call("HGET", key, sha256) or b""
        if hashlib.sha256(text).hexdigest() != sha256:
            raise BrokenLogError(
                f"rules: expected a text with the SHA-256 {sha256[:16]}... in {key},"
                " found none or another: it was altered"
            )
        return text.decode()
