"""`callsieve kamailio check` against Debian's Kamailio, and against modules it cannot use."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.kamailio import KAMAILIO_CONF, site_packages
from tests.support.service import run


def check(*options: str) -> tuple[int, dict[str, Any]]:
    answer = run("kamailio", "check", "--json", *options)
    findings: dict[str, Any] = json.loads(answer.stdout)
    return answer.returncode, findings


def linked_to(python: str, directory: Path) -> Path:
    """A directory of modules whose app_python3.so is linked to that Python."""
    source = directory / "empty.c"
    source.write_text("int callsieve_test_symbol(void) { return 0; }\n")
    library = directory / f"libpython{python}.so"
    soname = f"-Wl,-soname,libpython{python}.so.1.0"
    subprocess.run(["cc", "-shared", "-fPIC", soname, "-o", library, source], check=True)
    modules = directory / "modules"
    modules.mkdir()
    module = modules / "app_python3.so"
    keep = "-Wl,--no-as-needed"
    subprocess.run(["cc", "-shared", "-fPIC", keep, "-o", module, source, library], check=True)
    return modules


def test_debians_kamailio_can_load_what_make_installed_for_it() -> None:
    code, findings = check("--packages", str(site_packages()))
    assert code == 0, findings
    assert findings["loadable"]
    assert findings["problems"] == []
    assert f"python{findings['python']}" in findings["packages"]

    shown = run("kamailio", "check", "--packages", str(site_packages())).stdout
    assert f'site.addsitedir("{site_packages()}")' in shown
    # What it says to put where is what the files have.
    script = (KAMAILIO_CONF / "callsieve_screen.py").read_text("utf-8")
    assert 'site.addsitedir("/opt/callsieve/lib/python3.11/site-packages")' in script
    assert 'STORE = "csv:/var/lib/callsieve"' in script


def test_packages_without_callsieve(tmp_path: Path) -> None:
    code, findings = check("--packages", str(tmp_path))
    assert code == 1
    assert not findings["loadable"]
    (problem,) = findings["problems"]
    assert "No module named 'callsieve'" in problem
    assert f"python{findings['python']} -m venv /opt/callsieve" in problem


def test_another_python_than_this_one(tmp_path: Path) -> None:
    code, findings = check("--modules", str(linked_to("3.99", tmp_path)))
    assert (code, findings["python"]) == (1, "3.99")
    assert "app_python3 runs Python 3.99" in findings["problems"][0]
    assert "python3.99 -m venv /opt/callsieve" in findings["problems"][0]


def test_kamailio_without_app_python3(tmp_path: Path) -> None:
    code, findings = check("--modules", str(tmp_path))
    assert (code, findings["module"]) == (1, None)
    assert "apt-get install kamailio-python3-modules" in findings["problems"][0]


def test_no_kamailio(tmp_path: Path) -> None:
    code, findings = check("--binary", str(tmp_path / "kamailio"))
    assert (code, findings["kamailio"]) == (3, None)
    assert "apt-get install kamailio" in findings["problems"][0]


def test_something_else_that_is_called_kamailio(tmp_path: Path) -> None:
    other = tmp_path / "kamailio"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    code, findings = check("--binary", str(other), "--packages", str(site_packages()))
    assert code == 1
    assert "does not say which Kamailio it is" in findings["problems"][0]
