"""Which pictures look alike and which captions share tags, quick enough for tens of thousands."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise

from app.datasets.captions import tags_of

BITS = 64
NEAR = 6
"""Perceptual hashes that differ in at most so many of 64 bits are near duplicates."""


def near_groups(hashes: Mapping[int, int], distance: int = NEAR) -> list[list[int]]:
    """Keys whose 64-bit hashes differ in at most ``distance`` bits, directly or through others.

    Two such hashes agree on at least one of ``distance + 1`` bands, so only those that share a band
    are compared. Groups and their members come in order of key; single keys are left out.
    """
    by_hash: dict[int, list[int]] = defaultdict(list)
    for key, value in hashes.items():
        by_hash[value].append(key)
    leader = {value: value for value in by_hash}

    def find(value: int) -> int:
        while leader[value] != value:
            leader[value] = leader[leader[value]]
            value = leader[value]
        return value

    for left, right in _candidates(list(by_hash), distance + 1):
        if (left ^ right).bit_count() <= distance:
            leader[find(left)] = find(right)
    groups: dict[int, list[int]] = defaultdict(list)
    for value, keys in by_hash.items():
        groups[find(value)] += keys
    return sorted(sorted(keys) for keys in groups.values() if len(keys) > 1)


def _candidates(values: Sequence[int], bands: int) -> Iterable[tuple[int, int]]:
    edges = [BITS * band // bands for band in range(bands + 1)]
    for low, high in pairwise(edges):
        mask = (1 << (high - low)) - 1
        shelves: dict[int, list[int]] = defaultdict(list)
        for value in values:
            shelf = shelves[value >> low & mask]
            for other in shelf:
                yield value, other
            shelf.append(value)


def tag_counts(captions: Iterable[str | None]) -> Counter[str]:
    """How many captions hold each tag; a tag that stands twice in one counts once."""
    return Counter(chain.from_iterable(set(tags_of(caption)) for caption in captions))


def by_tags(captions: Sequence[str | None]) -> list[int]:
    """Positions in an order in which captions that share their commonest tags stand together.

    Each caption is spelled as its tags, commonest of the dataset first, and these are sorted; those
    without a caption come first. Captions that are sentences are taken word by word.
    """
    split = [set(tags_of(caption)) for caption in captions]
    some = sum(1 for tags in split if tags)
    if sum(map(len, split)) < 2 * some:
        split = [set((caption or "").lower().split()) for caption in captions]
    counted = Counter(chain.from_iterable(split))
    rank = {tag: place for place, (tag, _) in enumerate(counted.most_common())}
    spelled = [sorted(map(rank.__getitem__, tags)) for tags in split]
    return sorted(range(len(captions)), key=spelled.__getitem__)
