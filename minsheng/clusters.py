"""From pairs to persons: rules in order, nothing that could be two persons, doubts to review.

What may not be one person: nodes of two proven numbers, nodes that stand in one roll of one period,
and what somebody has decided to be two. Pairs of one rule that hang together are linked only if all
that they hold together could be one person: otherwise the order would tell who joins whom.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, groupby
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
    """The number that a node has and no other person can have."""
    rolls: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """The rolls, each of one period, in which a node stands."""
    linked: Sequence[tuple[int, int]] = ()
    """Pairs that somebody has decided to be one person."""
    parted: Sequence[tuple[int, int]] = ()
    """Pairs that somebody has decided to be two."""
    barred: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Sources whose records somebody has decided not to be those of a node's person."""
    sources: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """The sources in which a node stands, if any are barred."""


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
    """Link what the rules allow, in their order; neither that of pairs nor of nodes matters."""
    clusters = _Clusters(facts, largest)
    links: list[Pair] = []
    reviews: list[tuple[Pair, Doubt]] = []
    refused: list[tuple[tuple[int, int], Doubt]] = []
    # who decides may know that a number was corrected, but not put two rows of a roll in one
    decided = sorted(facts.linked)
    for two, doubt in zip(decided, clusters.doubts(decided, True), strict=True):
        if doubt:
            refused.append((two, doubt))
        else:
            clusters.join(*two)
    ordered = sorted(pairs, key=lambda pair: (pair.rule, pair.one, pair.other))
    for place, found in groupby(ordered, key=lambda pair: pair.rule):
        open_pairs = [pair for pair in found if not clusters.are_one(pair.one, pair.other)]
        if rules[place].outcome == "review":
            for pair in open_pairs:
                is_decided = clusters.doubt(pair.one, pair.other) == "decided"
                reviews.append((pair, "decided" if is_decided else "asked"))
            continue
        doubts = clusters.doubts([(pair.one, pair.other) for pair in open_pairs])
        for pair, doubt in zip(open_pairs, doubts, strict=True):
            if doubt:
                reviews.append((pair, doubt))
            elif clusters.join(pair.one, pair.other):
                links.append(pair)
    return Resolution(tuple(links), tuple(reviews), clusters.roots(), tuple(refused))


class _Clusters:
    """Disjoint sets of nodes that know what may not come into them."""

    def __init__(self, facts: Facts, largest: int) -> None:
        self._largest = largest
        self._parents: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._numbers = {node: frozenset({number}) for node, number in facts.numbers.items()}
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

    def are_one(self, one: int, other: int) -> bool:
        return self.root(one) == self.root(other)

    def doubts(
        self, pairs: Sequence[tuple[int, int]], whatever_their_numbers: bool = False
    ) -> list[Doubt | None]:
        """Of each pair why it may not be one person, were all of them joined at once.

        Pairs hang together by the clusters that they have in common. Where two of these cannot be
        one person, none of the pairs says which of them a third belongs to: all are in doubt. What
        somebody has decided to be two holds nothing together.
        """
        own = [self.doubt(one, other, whatever_their_numbers) for one, other in pairs]
        partners: defaultdict[int, set[int]] = defaultdict(set)
        for (one, other), doubt in zip(pairs, own, strict=True):
            if doubt != "decided" and not self.are_one(one, other):
                partners[self.root(one)].add(self.root(other))
                partners[self.root(other)].add(self.root(one))
        seen: set[int] = set()
        doubtful: set[int] = set()
        for first in partners:
            if first in seen:
                continue
            together, unseen = {first}, [first]
            while unseen:
                new = partners[unseen.pop()] - together
                together |= new
                unseen += new
            seen |= together
            if self._cannot_be_one(together, whatever_their_numbers):
                doubtful |= together
        return [
            doubt or ("ambiguous" if self.root(one) in doubtful else None)
            for (one, other), doubt in zip(pairs, own, strict=True)
        ]

    def doubt(self, one: int, other: int, whatever_their_numbers: bool = False) -> Doubt | None:
        """Why the clusters of two nodes may not become one; none if they may, or are one."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return None
        numbers = self._numbers.get(one, _NOTHING), self._numbers.get(other, _NOTHING)
        if any(self.root(node) == other for node in self._parted.get(one, ())):
            return "decided"
        if self._is_barred(one, other) or self._is_barred(other, one):
            return "decided"
        if all(numbers) and numbers[0].isdisjoint(numbers[1]) and not whatever_their_numbers:
            return "two_numbers"
        if not self._rolls.get(one, _NOTHING).isdisjoint(self._rolls.get(other, _NOTHING)):
            return "one_roll"
        if self._sizes.get(one, 1) + self._sizes.get(other, 1) > self._largest:
            return "too_large"
        return None

    def _is_barred(self, one: int, other: int) -> bool:
        barred = self._barred.get(one, _NOTHING)
        return not barred.isdisjoint(self._sources.get(other, _NOTHING))

    def _cannot_be_one(self, clusters: Collection[int], whatever_their_numbers: bool) -> bool:
        """Whether there are too many nodes in the clusters, or two of them differ."""
        if sum(self._sizes.get(each, 1) for each in clusters) > self._largest:
            return True
        return any(
            self.doubt(one, other, whatever_their_numbers)
            for one, other in combinations(clusters, 2)
        )

    def join(self, one: int, other: int) -> bool:
        """Make the clusters of two nodes one; false if they were."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return False
        kept, gone = min(one, other), max(one, other)
        self._parents[gone] = self._parents[kept] = kept
        self._sizes[kept] = self._sizes.get(kept, 1) + self._sizes.pop(gone, 1)
        for sets in (self._numbers, self._rolls, self._barred, self._sources):
            if gone in sets:
                sets[kept] = sets.get(kept, _NOTHING) | sets[gone]
        if gone in self._parted:
            self._parted[kept] |= self._parted[gone]
        return True


_NOTHING: frozenset[str] = frozenset()
