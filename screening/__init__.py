"""Pure decisions: call facts, rules, decide(). No sockets, no files, no compiled code."""

from screening.decide import decide, undecided
from screening.decision import Action, Decision, Step
from screening.facts import (
    FLOWS,
    WITHHELD,
    WITHOUT_NUMBER,
    CallFacts,
    Flow,
    Party,
    Standing,
)
from screening.list_asking import Lists, NumberList, UnavailableList
from screening.rules import Rules
from screening.rules_document import RulesError, parse_rules

__all__ = [
    "FLOWS",
    "WITHHELD",
    "WITHOUT_NUMBER",
    "Action",
    "CallFacts",
    "Decision",
    "Flow",
    "Lists",
    "NumberList",
    "Party",
    "Rules",
    "RulesError",
    "Standing",
    "Step",
    "UnavailableList",
    "decide",
    "parse_rules",
    "undecided",
]
