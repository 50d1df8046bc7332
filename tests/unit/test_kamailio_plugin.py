"""The pure parts of the Kamailio plugin: numbers out of URIs, decisions as variables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamailio_plugin.replies import refusal
from kamailio_plugin.uri import MAX_CHARACTERS, UNREADABLE, number_text
from kamailio_plugin.variables import variables
from loader.numbers import read_number
from screening import Decision
from screening.hangup_causes import HANGUP_CAUSES


@pytest.mark.parametrize(
    ("uri", "text", "number"),
    [
        ("sip:+48600100200@example.net", "+48600100200", "+48600100200"),
        ("SIPS:600100200@example.net:5061;transport=tcp", "600100200", "+48600100200"),
        ("sip:+48600100200;npdi;rn=+48501@x;user=phone", None, "+48600100200"),
        ("sip:%2B48600100200@x", "+48600100200", "+48600100200"),
        ("sip:600100200:secret@x", "600100200", "+48600100200"),
        ("tel:+48-600-100-200", "+48-600-100-200", "+48600100200"),
        ("tel:600100200;phone-context=+48", None, "+48600100200"),
        ("sip:*30@x", "*30", "*30"),
        ("sip:anonymous@anonymous.invalid", "anonymous", "anonymous"),
        ("sip:example.net", "", "anonymous"),
        ("sip:@example.net", "", "anonymous"),
        ("sip:+48600100200%0D%0AX@x", None, None),
        ("sip:%00@x", None, None),
        ("sip:%E9@x", None, None),
        ("sip:" + "4" * MAX_CHARACTERS + "@x", UNREADABLE, None),
        ("sip:" + "4" * 600 + "@x", None, None),
        ("mailto:a@example.net", UNREADABLE, None),
        ("garbage", UNREADABLE, None),
        ("", UNREADABLE, None),
    ],
)
def test_the_number_of_a_uri(uri: str, text: str | None, number: str | None) -> None:
    found = number_text(uri)
    assert text is None or found == text
    assert read_number(found, "PL").number == number


@given(st.text(max_size=40), st.text(max_size=20))
def test_what_a_caller_encodes_stays_in_the_user(user: str, host: str) -> None:
    """Encoded, it is one user whatever it holds; it never becomes a host, a parameter, a scheme."""
    encoded = "".join(f"%{byte:02X}" for byte in user.encode("utf-8", "surrogatepass"))
    expected = user.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert number_text(f"sip:{encoded}@{host}") == expected


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(uri: str) -> None:
    for scheme in ("", "sip:", "tel:", "sips:"):
        read_number(number_text(scheme + uri), "PL")


@pytest.mark.parametrize("cause", sorted(HANGUP_CAUSES))
def test_every_cause_has_a_final_reply_with_its_reason(cause: str) -> None:
    reply = refusal(cause)
    assert 400 <= reply.status < 700
    assert reply.phrase
    assert re.search(rf'(?:Q\.850|SIP);cause=\d+;text="{cause}"', str(reply))


def test_causes_are_answered_as_freeswitch_answers_them() -> None:
    statuses = {cause: refusal(cause).status for cause in HANGUP_CAUSES}
    assert statuses["CALL_REJECTED"] == 603
    assert statuses["USER_BUSY"] == 486
    assert statuses["UNALLOCATED_NUMBER"] == 404
    assert statuses["UNWANTED"] == 607
    assert statuses["NORMAL_CLEARING"] == 480


def test_a_receipt_is_one_header_a_line() -> None:
    decision = Decision(
        "skip",
        list="Opt-outs",
        entry="+48600*",
        number="+48600100200",
        read_as="national number of PL, behind 0,",
        rule='campaign."Spring sale"',
        status="Do not call",
        generation=7,
        rules_version="0123456789ab",
        reason="a file named a\r\nX-Injected: yes\x00" + "x" * 500,
    )
    values = variables(decision)
    lines = str(values["headers"]).split("\r\n")
    assert lines.pop() == ""
    assert len(lines) == 10
    assert all(line.startswith("X-Callsieve-") and line.isprintable() for line in lines)
    assert max(map(len, lines)) < 250
    assert "X-Callsieve-Status: Do not call" in lines
    assert "X-Callsieve-Generation: 7" in lines
    assert "X-Callsieve-Rules-Version: 0123456789ab" in lines
    assert "X-Callsieve-Read-As: national number of PL, behind 0," in lines
    assert (values["reply_status"], values["action"]) == (403, "skip")


def test_what_does_not_apply_is_not_there() -> None:
    values = variables(Decision("continue", number="1000", reason="no forwarding matched"))
    assert values.keys() == {"action", "number", "reason", "headers"}
    presented = variables(Decision("present", presentation_number="+48221110001"))
    assert presented["presentation"] == "+48221110001"
    assert "reply_status" not in presented
