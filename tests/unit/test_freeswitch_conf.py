"""What the dialplans of `freeswitch_conf/` say of a leg is what the service reads."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from esl_service.channel_data import FIELDS, LEG_TEXT, LEG_VARIABLE

DIALPLAN = Path(__file__).parents[2] / "freeswitch_conf" / "dialplan"
SCREENING = {"public/00_callsieve_inbound.xml": "async", "callsieve.xml": "sync"}


@pytest.mark.parametrize("name", SCREENING)
def test_a_dialplan_puts_the_fields_of_a_leg_into_one_line(name: str) -> None:
    (condition,) = (
        element
        for element in ET.parse(DIALPLAN / name).iter("condition")
        if "|" in element.get("field", "")
    )
    fields = condition.attrib["field"].split("|")
    expected = [f"${{{variable}}}" for _, variable in FIELDS.values()]
    assert len(fields) == len(expected)
    for field, variable in zip(fields, expected, strict=True):
        assert field in (variable, "", "inbound")
    assert "".join(fields).startswith("".join(expected[:7]))
    assert condition.attrib["expression"] == rf"^((?:{LEG_TEXT}\|){{16}}(?:true|false))\z"
    mode = SCREENING[name]
    assert f"!{LEG_VARIABLE}={mode}|$1|end!" in condition.findall("action")[0].attrib["data"]
    assert f"!{LEG_VARIABLE}=!" in condition.findall("anti-action")[0].attrib["data"]


def test_every_socket_of_a_dialplan_comes_after_the_line_was_set_or_unset() -> None:
    """A line that is left over from before would be taken for this leg's."""
    for path in DIALPLAN.rglob("*.xml"):
        for extension in ET.parse(path).iter("extension"):
            data = " ".join(element.get("data", "") for element in extension.iter())
            if any(element.get("application") == "socket" for element in extension.iter()):
                before, _, _ = data.partition("$${callsieve_service}")
                assert re.search(rf"!{LEG_VARIABLE}=!", before), extension.get("name")
