"""What the kernel says of memory: this process's own, and that of one mapped file."""

from __future__ import annotations

from pathlib import Path


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(f"/proc/self/status: no {field}")


def anonymous_bytes() -> int:
    """Resident bytes that no file backs: heaps and stacks."""
    return _status("RssAnon")


def peak_bytes() -> int:
    """The most that was resident at any time, mapped files included."""
    return _status("VmHWM")


def mapping(path: Path) -> dict[str, int]:
    """Rss, Pss and the other sums of /proc/self/smaps, in bytes, over all mappings of the file.

    Raises LookupError where it is not mapped.
    """
    sums: dict[str, int] = {}
    wanted = False
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if not head.endswith(":"):
            wanted = line.endswith(f" {path.resolve()}")
        elif wanted and rest.endswith(" kB"):
            sums[head[:-1]] = sums.get(head[:-1], 0) + int(rest.split()[0]) * 1024
    if not sums:
        raise LookupError(f"{path}: not mapped")
    return sums
