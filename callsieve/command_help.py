"""What the help of every store command ends with: an example and the exit codes."""


def epilog(examples: str, **codes: str) -> str:
    """Examples and exit codes below a command's options. codes: exit1="when", exit3=..."""
    meanings = {
        "exit0": "done",
        "exit2": "usage, or a value that cannot be right; nothing was changed",
        "exit5": "the store or its snapshots cannot be read or written",
        **codes,
    }
    lines = [
        "\b",
        "Example:",
        *(f"  {line}" for line in examples.splitlines()),
        "",
        "\b",
        "Exit codes:",
        *(f"  {key[4:]}  {meaning}" for key, meaning in sorted(meanings.items())),
    ]
    return "\n".join(lines)
