"""The settings as they are shipped, by stage, for tests that call a stage's insides."""

from __future__ import annotations

from understudy.show.schema import defaults, schema

SHIPPED = defaults(schema("settings"))
MATTE, MATCH, COMPOSITE = (SHIPPED[stage] for stage in ("matte", "match", "composite"))
