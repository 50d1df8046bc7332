"""`callsieve kamailio check`: whether this Kamailio can load the plugin, and what to put where."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from callsieve.stores import json_option

OLDEST = (5, 6)
"""The first Kamailio that the plugin was tried with; Debian 12 has it."""

NOT_LOADABLE = 1
NO_KAMAILIO = 3

_WAIT_SECONDS = 20.0
# Asked of the Python that Kamailio uses: does Callsieve load there, compiled modules included?
_TRIAL = """
import site, sys
site.addsitedir(sys.argv[1])
import callsieve.kamailio
"""
_VERSION = re.compile(r"version: kamailio (\d+)\.(\d+)\S*")
_MODULES = re.compile(r'"?([/\w.+-]+/kamailio/modules)/?"?')
_LIBPYTHON = re.compile(r"\blibpython(3\.\d+)")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found. problems: what stands in the way, one sentence each."""

    kamailio: str | None
    version: str | None
    module: str | None
    python: str | None
    interpreter: str | None
    packages: str | None
    problems: tuple[str, ...]

    @property
    def loadable(self) -> bool:
        return not self.problems


@click.group()
def kamailio() -> None:
    """Callsieve inside Kamailio.

    \b
    Example:
      callsieve kamailio check
    """


@kamailio.command()
@click.option(
    "--binary",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Kamailio's program; looked for on the PATH and in /usr/sbin if left out.",
)
@click.option(
    "--modules",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Kamailio's modules are; found out from the program if left out.",
)
@click.option(
    "--packages",
    type=click.Path(file_okay=False, path_type=Path),
    help="The site-packages that Callsieve is installed in for Kamailio's Python, such as "
    "/opt/callsieve/lib/python3.11/site-packages; those of this command if left out.",
)
@json_option
def check(binary: Path | None, modules: Path | None, packages: Path | None, as_json: bool) -> None:
    """Say whether this Kamailio can load the plugin, and what to put where.

    Kamailio's module app_python3 runs the plugin in the Python that it was linked to, which need
    not be the one on the PATH. Callsieve has to be installed for that Python.

    \b
    Example:
      callsieve kamailio check
      callsieve kamailio check --packages /opt/callsieve/lib/python3.11/site-packages

    Exit code: 0 it can; 1 it cannot, and what to do is said; 2 usage; 3 there is no Kamailio.
    """
    findings = find(binary, modules, packages)
    if as_json:
        click.echo(json.dumps({"loadable": findings.loadable, **asdict(findings)}))
    else:
        _print(findings)
    if findings.kamailio is None:
        sys.exit(NO_KAMAILIO)
    if not findings.loadable:
        sys.exit(NOT_LOADABLE)


def find(binary: Path | None, modules: Path | None, packages: Path | None) -> Findings:
    """Looks at Kamailio's program and module, and tries to load Callsieve in their Python."""
    found = binary or _which("kamailio")
    if found is None or not found.exists():
        where = str(binary) if binary else "the PATH and /usr/sbin"
        return _nothing(
            f"no Kamailio in {where}; on Debian: apt-get install kamailio kamailio-python3-modules"
        )
    version, about = _ask_kamailio(found)
    problems = []
    if version is None:
        problems.append(f"{found} -v does not say which Kamailio it is")
    elif version < OLDEST:
        problems.append(
            f"Kamailio {version[0]}.{version[1]} is older than {OLDEST[0]}.{OLDEST[1]}, "
            "the first that the plugin was tried with"
        )
    module = _module(modules, about)
    python = None if module is None else _linked_python(module)
    if module is None:
        problems.append(
            "there is no app_python3.so among Kamailio's modules; on Debian: "
            "apt-get install kamailio-python3-modules (or name the directory with --modules)"
        )
    elif python is None:
        problems.append(f"{module} is not linked to a Python 3 that can be loaded here (see ldd)")
    interpreter = None if python is None else _which(f"python{python}")
    place = None
    if python is not None:
        place, problem = _place(packages, python, interpreter)
        problems += [problem] if problem else []
    return Findings(
        str(found),
        None if version is None else f"{version[0]}.{version[1]}",
        None if module is None else str(module),
        python,
        None if interpreter is None else str(interpreter),
        None if place is None else str(place),
        tuple(problems),
    )


def _nothing(problem: str) -> Findings:
    return Findings(None, None, None, None, None, None, (problem,))


def _which(program: str) -> Path | None:
    # Debian's own before what comes first on the PATH: app_python3 is linked to Debian's.
    found = shutil.which(program, path="/usr/bin:/usr/sbin") or shutil.which(program)
    return None if found is None else Path(found)


def _ask_kamailio(binary: Path) -> tuple[tuple[int, int] | None, str]:
    """Its version, and all that it says of itself."""
    said = "".join(_output(binary, option) for option in ("-v", "-h"))
    version = _VERSION.search(said)
    return (None if version is None else (int(version[1]), int(version[2]))), said


def _module(modules: Path | None, about: str) -> Path | None:
    candidates = [modules] if modules else [Path(text) for text in _MODULES.findall(about)]
    if not modules:
        candidates += sorted(Path("/usr/lib").glob("*/kamailio/modules"))
        candidates += [
            Path("/usr/lib64/kamailio/modules"),
            Path("/usr/local/lib64/kamailio/modules"),
        ]
    return next(
        (place / "app_python3.so" for place in candidates if (place / "app_python3.so").exists()),
        None,
    )


def _linked_python(module: Path) -> str | None:
    linked = _LIBPYTHON.search(_output(Path("/usr/bin/ldd"), str(module)))
    return None if linked is None else linked[1]


def _place(
    packages: Path | None, python: str, interpreter: Path | None
) -> tuple[Path | None, str | None]:
    """Where Callsieve is for that Python, and what is wrong with it."""
    install = (
        f"install Callsieve for Python {python}: python{python} -m venv /opt/callsieve && "
        "/opt/callsieve/bin/pip install callsieve, then --packages "
        f"/opt/callsieve/lib/python{python}/site-packages"
    )
    place = packages.resolve() if packages else _own_packages()
    if packages is None and f"{sys.version_info[0]}.{sys.version_info[1]}" != python:
        return None, (
            f"app_python3 runs Python {python}, and this command's Callsieve is for "
            f"{sys.version_info[0]}.{sys.version_info[1]}; {install}"
        )
    if interpreter is None:
        return place, f"no python{python} here to try Callsieve in; on Debian: python3"
    tried = subprocess.run(
        [interpreter, "-I", "-c", _TRIAL, str(place)],
        capture_output=True,
        text=True,
        timeout=_WAIT_SECONDS,
        check=False,
    )
    if tried.returncode == 0:
        return place, None
    last = (tried.stderr.strip().splitlines() or ["no reason"])[-1]
    return place, f"Callsieve in {place} does not load in Python {python} ({last}); {install}"


def _own_packages() -> Path:
    import phonenumbers  # a dependency: it is in site-packages even where Callsieve is editable

    return Path(phonenumbers.__file__).parent.parent


def _output(program: Path, argument: str) -> str:
    try:
        ran = subprocess.run(
            [program, argument],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WAIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout + ran.stderr


def _print(findings: Findings) -> None:
    rows = [
        ("Kamailio", findings.kamailio and f"{findings.kamailio}, version {findings.version}"),
        ("app_python3", findings.module),
        ("its Python", findings.python),
        ("Callsieve", findings.packages),
    ]
    for name, value in rows:
        click.echo(f"{name:<12} {value or 'not found'}")
    click.echo()
    if not findings.loadable:
        for problem in findings.problems:
            click.echo(f"cannot load: {problem}")
        return
    click.echo("This Kamailio can load the plugin.")
    for step in (
        "1. Copy callsieve.cfg and callsieve_screen.py of kamailio_conf/ to /etc/kamailio/.",
        "2. In callsieve_screen.py:",
        f'     site.addsitedir("{findings.packages}")',
        '     STORE = "csv:/var/lib/callsieve"      # your store; readable by user kamailio',
        "3. In kamailio.cfg, after its loadmodule lines:",
        '     include_file "callsieve.cfg"',
        "   and before a call is routed: route(CALLSIEVE_INBOUND) or route(CALLSIEVE_DIALLED).",
        "docs/kamailio.md has the whole way.",
    ):
        click.echo(step)
