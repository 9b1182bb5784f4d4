"""From pairs to persons: rules in order, nothing that could be two persons, doubts to review.

What may not be one person: nodes of two proven numbers, nodes that stand in one roll of one period,
and what somebody has decided to be two. A pair is linked only if neither side has another partner
by the same rule that could not be the same person as well.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from minsheng.link_rules import LinkRule

Doubt = Literal["asked", "ambiguous", "two_numbers", "one_roll", "decided", "too_large"]
"""Why a pair is left to a person: the rule asks; there is more than one partner; both have a valid
number; both stand in one roll; somebody has decided against it; it would be too large."""


@dataclass(frozen=True)
class Pair:
    """Two nodes that a rule has found, the rule by its place in the table."""

    rule: int
    one: int
    other: int


@dataclass(frozen=True)
class Facts:
    """What is known of the nodes that stand in a pair; a node that is missing has none of it."""

    numbers: Mapping[int, str] = field(default_factory=dict)
    """The proven number of a node."""
    rolls: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """The rolls, each of one period, in which a node stands."""
    linked: Sequence[tuple[int, int]] = ()
    """Pairs that somebody has decided to be one person."""
    parted: Sequence[tuple[int, int]] = ()
    """Pairs that somebody has decided to be two."""
    barred: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Sources whose records somebody has decided not to be those of a node's person."""
    sources: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """The sources, of those that are barred anywhere, in which a node stands."""


@dataclass(frozen=True)
class Resolution:
    """What became of the pairs. `roots` has every node that is not alone, with its cluster's."""

    links: tuple[Pair, ...]
    reviews: tuple[tuple[Pair, Doubt], ...]
    roots: Mapping[int, int]
    refused: tuple[tuple[tuple[int, int], Doubt], ...] = ()
    """What somebody has decided to be one person and cannot be."""


def resolve(
    pairs: Iterable[Pair], rules: Sequence[LinkRule], facts: Facts, largest: int
) -> Resolution:
    """Link what the rules allow, in their order; the same pairs in any order give the same."""
    clusters = _Clusters(facts, largest)
    links: list[Pair] = []
    reviews: list[tuple[Pair, Doubt]] = []
    refused: list[tuple[tuple[int, int], Doubt]] = []
    for one, other in sorted(facts.linked):
        # who decides may know that a number was corrected, but not put two rows of a roll in one
        doubt = clusters.doubt(one, other, whatever_their_numbers=True)
        if doubt:
            refused.append(((one, other), doubt))
        else:
            clusters.join(one, other)
    ordered = sorted(pairs, key=lambda pair: (pair.rule, pair.one, pair.other))
    for place, found in groupby(ordered, key=lambda pair: pair.rule):
        open_pairs: list[tuple[int, int, Pair]] = []
        partners: defaultdict[int, set[int]] = defaultdict(set)
        for pair in found:
            one, other = clusters.root(pair.one), clusters.root(pair.other)
            if one != other:
                open_pairs.append((one, other, pair))
                partners[one].add(other)
                partners[other].add(one)
        if rules[place].outcome == "review":
            for _, _, pair in open_pairs:
                is_decided = clusters.doubt(pair.one, pair.other) == "decided"
                reviews.append((pair, "decided" if is_decided else "asked"))
            continue
        crowded = {node for node, others in partners.items() if len(others) > largest}
        doubtful = crowded | {
            node
            for node, others in partners.items()
            if 1 < len(others) <= largest and clusters.any_two_differ(others)
        }
        for one, other, pair in open_pairs:
            doubt = clusters.doubt(pair.one, pair.other)
            if doubt:
                reviews.append((pair, doubt))
            elif one in doubtful or other in doubtful:
                reviews.append((pair, "ambiguous"))
            elif clusters.join(pair.one, pair.other):
                links.append(pair)
    return Resolution(tuple(links), tuple(reviews), clusters.roots(), tuple(refused))


class _Clusters:
    """Disjoint sets of nodes that know what may not come into them."""

    def __init__(self, facts: Facts, largest: int) -> None:
        self._largest = largest
        self._parents: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._numbers = dict(facts.numbers)
        self._rolls = dict(facts.rolls)
        self._barred = dict(facts.barred)
        self._sources = dict(facts.sources)
        self._parted: defaultdict[int, set[int]] = defaultdict(set)
        for one, other in facts.parted:
            self._parted[one].add(other)
            self._parted[other].add(one)

    def root(self, node: int) -> int:
        parents = self._parents
        root = node
        while (parent := parents.get(root, root)) != root:
            root = parent
        while node != root:
            parents[node], node = root, parents.get(node, node)
        return root

    def roots(self) -> dict[int, int]:
        return {node: self.root(node) for node in self._parents}

    def doubt(self, one: int, other: int, whatever_their_numbers: bool = False) -> Doubt | None:
        """Why the clusters of two nodes may not become one; none if they may, or are one."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return None
        numbers = self._numbers.get(one), self._numbers.get(other)
        if any(self.root(node) == other for node in self._parted.get(one, ())):
            return "decided"
        if self._is_barred(one, other) or self._is_barred(other, one):
            return "decided"
        if None not in numbers and numbers[0] != numbers[1] and not whatever_their_numbers:
            return "two_numbers"
        if not self._rolls.get(one, _NOWHERE).isdisjoint(self._rolls.get(other, _NOWHERE)):
            return "one_roll"
        if self._sizes.get(one, 1) + self._sizes.get(other, 1) > self._largest:
            return "too_large"
        return None

    def _is_barred(self, one: int, other: int) -> bool:
        barred = self._barred.get(one, _NOWHERE)
        return not barred.isdisjoint(self._sources.get(other, _NOWHERE))

    def any_two_differ(self, nodes: set[int]) -> bool:
        """Whether two of the clusters cannot be one person."""
        listed = sorted(nodes)
        return any(
            self.doubt(one, other) for place, one in enumerate(listed) for other in listed[:place]
        )

    def join(self, one: int, other: int) -> bool:
        """Make the clusters of two nodes one; false if they were."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return False
        kept, gone = min(one, other), max(one, other)
        self._parents[gone] = self._parents[kept] = kept
        self._sizes[kept] = self._sizes.get(kept, 1) + self._sizes.pop(gone, 1)
        number = self._numbers.get(kept) or self._numbers.get(gone)
        if number:
            self._numbers[kept] = number
        for sets in (self._rolls, self._barred, self._sources):
            if gone in sets:
                sets[kept] = sets.get(kept, _NOWHERE) | sets[gone]
        if gone in self._parted:
            self._parted[kept] |= self._parted[gone]
        return True


_NOWHERE: frozenset[str] = frozenset()
