from __future__ import annotations

from collector.model import CANCELLED, FAILED_CLASSES
from web.ui.flags import FAILURE_CLASSES, RESPONSE_FLAGS


def test_every_failure_class_has_words() -> None:
    assert FAILURE_CLASSES.keys() == {*FAILED_CLASSES, CANCELLED}


def test_flags_of_rules_and_breakers_are_explained() -> None:
    assert {"UO", "UH", "UF", "UT", "URX", "UC", "NR", "FI", "DI", "DC", "RL", "NC"} <= RESPONSE_FLAGS.keys()
    assert all(words and words[-1] != "." for words in RESPONSE_FLAGS.values())
