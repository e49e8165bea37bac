"""One function per rule: wires the rooms below together."""
