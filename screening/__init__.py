"""Pure decisions: call facts, rules, decide(). No sockets, no files, no compiled code."""
