from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.seen import Lows, Seen

IDS = st.integers(0, 2**64 - 1)


def lows(*ids: int) -> Lows:
    return np.array(ids, dtype=np.uint64)


@given(
    st.lists(st.lists(st.sampled_from([0, 1, 2, 2**63, 2**64 - 1]) | IDS, max_size=6), max_size=8), st.data()
)
def test_it_knows_what_was_added_and_nothing_else(added: list[list[int]], data: st.DataObject) -> None:
    seen = Seen()
    for second, ids in enumerate(added):
        seen.add(lows(*ids), second)
    known = {i for ids in added for i in ids}
    asked = data.draw(st.lists(st.sampled_from(sorted(known)) | IDS if known else IDS, max_size=9))
    assert seen.among(lows(*asked)).tolist() == [i in known for i in asked]
    assert len(seen) >= len(known)


def test_without_room_the_oldest_go_and_it_says_since_when_it_knows_all() -> None:
    seen = Seen(since=5, room=64)
    for second in range(10, 40):
        seen.add(lows(*range(second * 10, second * 10 + 10)), second)
    assert len(seen) <= 64
    assert 30 <= seen.since < 40
    kept = [second for second in range(10, 40) if seen.among(lows(second * 10)).all()]
    assert kept == list(range(kept[0], 40))
    assert kept[0] <= seen.since <= kept[0] + 1


def test_asking_stays_cheap() -> None:
    """Many small additions become few blocks."""
    seen = Seen()
    for i in range(1000):
        seen.add(lows(i), i)
    assert len(seen._blocks) < 12
    assert seen.among(lows(0, 999, 1000)).tolist() == [True, True, False]
