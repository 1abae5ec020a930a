"""Near duplicates are found exactly, and captions with the same tags come to stand together."""

from __future__ import annotations

import random
import time

from app.datasets.similar import by_tags, near_groups, tag_counts


def test_near_groups_are_those_that_comparing_each_with_each_finds():
    numbers = random.Random(7)
    hashes = {n: numbers.getrandbits(64) for n in range(300)}
    for n in range(0, 300, 3):
        flipped = hashes[n]
        for bit in numbers.sample(range(64), numbers.randrange(0, 12)):
            flipped ^= 1 << bit
        hashes[1000 + n] = flipped
    found = {frozenset(pair) for group in near_groups(hashes, 6) for pair in _pairs(group)}
    expected = {
        frozenset((a, b))
        for a in hashes for b in hashes
        if a < b and (hashes[a] ^ hashes[b]).bit_count() <= 6
    }  # fmt: skip
    assert len(expected) > 40
    assert expected <= found
    assert len(found) == len(expected), "chains are as good as absent in random hashes"


def _pairs(group):
    return [(a, b) for i, a in enumerate(group) for b in group[i + 1 :]]


def test_ten_thousand_hashes_take_moments_also_where_all_are_the_same():
    numbers = random.Random(1)
    begin = time.process_time()
    near_groups({n: numbers.getrandbits(64) for n in range(10_000)})
    assert near_groups(dict.fromkeys(range(10_000), 5)) == [list(range(10_000))]
    assert time.process_time() - begin < 5


def test_captions_with_common_tags_stand_together_and_those_without_come_first():
    captions = ["dog, grass", "cat, sofa", None, "sofa, cat, red", "grass, dog, sky"]
    order = by_tags(captions)
    assert order[0] == 2
    assert abs(order.index(0) - order.index(4)) == 1
    assert abs(order.index(1) - order.index(3)) == 1


def test_sentences_are_taken_word_by_word():
    order = by_tags(["a big dog", "my cat sleeps", "the dog runs big", "your cat sleeps"])
    assert abs(order.index(1) - order.index(3)) == 1


def test_a_tag_counts_once_in_a_caption():
    assert tag_counts(["a, a, b", "a", None]) == {"a": 2, "b": 1}
