"""Pairs become persons: rules in order, nothing that could be two persons, doubts to review."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minsheng.clusters import Doubt, Facts, Pair, Resolution, resolve
from minsheng.link_rules import LinkRule, Outcome


def rule(outcome: Outcome = "link") -> LinkRule:
    return LinkRule("rule", "number", outcome, (("number",),), "", "", "", "", "规则", "rule")


LINKS = [rule(), rule()]
WANG, WANG_AGAIN, LI, LI_AGAIN, CHEN = 1, 2, 3, 4, 5
LARGEST = 4


def resolved(
    *pairs: tuple[int, int, int],
    rules: Sequence[LinkRule] = LINKS,
    largest: int = LARGEST,
    **facts: Any,
) -> Resolution:
    """Resolve pairs (rule, one, other)."""
    return resolve([Pair(*pair) for pair in pairs], rules, Facts(**facts), largest)


def linked(resolution: Resolution) -> list[tuple[int, int]]:
    return [(pair.one, pair.other) for pair in resolution.links]


def doubts(resolution: Resolution) -> list[tuple[int, int, Doubt]]:
    return [(pair.one, pair.other, doubt) for pair, doubt in resolution.reviews]


def persons(resolution: Resolution) -> list[set[int]]:
    """The clusters of more than one node."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for node, root in resolution.roots.items():
        found[root].add(node)
    return list(found.values())


# ── what is linked ──────────────────────────────────────────────────────────────────────────────


def test_a_pair_of_a_rule_is_linked() -> None:
    found = resolved((0, WANG, WANG_AGAIN))
    assert linked(found) == [(WANG, WANG_AGAIN)]
    assert persons(found) == [{WANG, WANG_AGAIN}]
    assert not found.reviews and not found.refused


def test_without_pairs_everybody_stays_alone() -> None:
    assert resolved() == Resolution((), (), {}, ())


def test_two_pairs_with_a_node_in_common_are_one_person() -> None:
    found = resolved((0, WANG, WANG_AGAIN), (0, WANG_AGAIN, LI))
    assert persons(found) == [{WANG, WANG_AGAIN, LI}]


def test_a_pair_that_is_one_person_already_is_not_linked_again() -> None:
    found = resolved((0, WANG, WANG_AGAIN), (1, WANG, WANG_AGAIN), (1, WANG_AGAIN, WANG))
    assert found.links == (Pair(0, WANG, WANG_AGAIN),)
    assert not found.reviews


def test_the_stricter_rule_comes_first_whatever_the_order_of_the_pairs() -> None:
    found = resolved((1, LI, CHEN), (0, WANG, CHEN), rolls=of_one_roll(WANG, LI))
    assert linked(found) == [(WANG, CHEN)]
    assert doubts(found) == [(LI, CHEN, "one_roll")]


def test_a_rule_that_asks_links_nobody() -> None:
    found = resolved((0, WANG, WANG_AGAIN), rules=[rule("review")])
    assert doubts(found) == [(WANG, WANG_AGAIN, "asked")]
    assert not found.roots


def test_a_rule_that_asks_does_not_ask_again_what_is_decided() -> None:
    found = resolved((0, WANG, LI), rules=[rule("review")], parted=[(WANG, LI)])
    assert doubts(found) == [(WANG, LI, "decided")]


def test_a_rule_that_asks_is_silent_about_one_person() -> None:
    found = resolved((0, WANG, WANG_AGAIN), (1, WANG, WANG_AGAIN), rules=[rule(), rule("review")])
    assert linked(found) == [(WANG, WANG_AGAIN)]
    assert not found.reviews


# ── what could be two persons ───────────────────────────────────────────────────────────────────


def of_one_roll(*nodes: int) -> Mapping[int, frozenset[str]]:
    return {node: frozenset({"roll 2022"}) for node in nodes}


def test_two_proven_numbers_are_two_persons() -> None:
    found = resolved((0, WANG, LI), numbers={WANG: "one", LI: "other"})
    assert doubts(found) == [(WANG, LI, "two_numbers")]
    assert not found.roots


def test_one_proven_number_is_no_doubt() -> None:
    assert linked(resolved((0, WANG, LI), numbers={WANG: "one"})) == [(WANG, LI)]


def test_a_number_stays_with_the_cluster_that_it_came_into() -> None:
    found = resolved((0, WANG, WANG_AGAIN), (1, WANG_AGAIN, LI), numbers={WANG: "one", LI: "other"})
    assert linked(found) == [(WANG, WANG_AGAIN)]
    assert doubts(found) == [(WANG_AGAIN, LI, "two_numbers")]


def test_two_records_of_one_roll_are_two_persons() -> None:
    found = resolved((0, WANG, LI), rolls=of_one_roll(WANG, LI))
    assert doubts(found) == [(WANG, LI, "one_roll")]


def test_records_of_two_rolls_may_be_one_person() -> None:
    rolls = {WANG: frozenset({"roll 2022"}), LI: frozenset({"roll 2023"})}
    assert linked(resolved((0, WANG, LI), rolls=rolls)) == [(WANG, LI)]


def test_a_node_with_two_partners_who_are_two_persons_is_linked_to_neither() -> None:
    found = resolved((0, WANG, CHEN), (0, LI, CHEN), numbers={WANG: "one", LI: "other"})
    assert doubts(found) == [(WANG, CHEN, "ambiguous"), (LI, CHEN, "ambiguous")]
    assert not found.roots


def test_a_node_with_two_partners_who_may_be_one_person_is_linked_to_both() -> None:
    found = resolved((0, WANG, CHEN), (0, WANG_AGAIN, CHEN))
    assert persons(found) == [{WANG, WANG_AGAIN, CHEN}]


@pytest.mark.parametrize("named", list(permutations((WANG, WANG_AGAIN, LI_AGAIN, LI))))
def test_records_between_two_persons_are_linked_to_neither(named: tuple[int, ...]) -> None:
    wang, wang_again, li_again, li = named
    found = resolved(
        (0, wang, wang_again),
        (0, wang_again, li_again),
        (0, li_again, li),
        numbers={wang: "one", li: "other"},
    )
    assert {doubt for _, _, doubt in doubts(found)} == {"ambiguous"}
    assert len(found.reviews) == 3 and not found.roots


def test_what_hangs_on_a_pair_that_cannot_be_is_left_with_it() -> None:
    found = resolved((0, WANG, LI), (0, LI, CHEN), rolls=of_one_roll(WANG, LI))
    assert doubts(found) == [(WANG, LI, "one_roll"), (LI, CHEN, "ambiguous")]


def test_a_pair_that_somebody_has_parted_leaves_no_doubt_of_others() -> None:
    found = resolved((0, WANG, LI), (0, LI, CHEN), parted=[(WANG, LI)])
    assert linked(found) == [(LI, CHEN)]
    assert doubts(found) == [(WANG, LI, "decided")]


def test_partners_of_a_later_rule_are_no_doubt_of_an_earlier() -> None:
    found = resolved((0, WANG, CHEN), (1, LI, CHEN), numbers={WANG: "one", LI: "other"})
    assert linked(found) == [(WANG, CHEN)]
    assert doubts(found) == [(LI, CHEN, "two_numbers")]


def test_partners_are_counted_as_the_persons_they_have_become() -> None:
    # two partners by the second rule, and one person by the first
    numbers = {WANG: "one", CHEN: "one"}
    found = resolved((0, WANG, WANG_AGAIN), (1, WANG, LI), (1, WANG_AGAIN, LI), numbers=numbers)
    assert persons(found) == [{WANG, WANG_AGAIN, LI}]
    assert linked(found) == [(WANG, WANG_AGAIN), (WANG, LI)]


def test_a_node_with_more_partners_than_a_person_may_have_records_is_linked_to_none() -> None:
    found = resolved(*((0, partner, CHEN) for partner in (WANG, WANG_AGAIN, LI)), largest=2)
    assert {doubt for _, _, doubt in doubts(found)} == {"ambiguous"}
    assert not found.roots


def test_a_person_has_no_more_records_than_the_largest() -> None:
    chain = [(0, WANG, WANG_AGAIN), (0, WANG_AGAIN, LI), (0, LI, LI_AGAIN), (1, LI_AGAIN, CHEN)]
    found = resolved(*chain, largest=4)
    assert persons(found) == [{WANG, WANG_AGAIN, LI, LI_AGAIN}]
    assert doubts(found) == [(LI_AGAIN, CHEN, "too_large")]


# ── what somebody has decided ───────────────────────────────────────────────────────────────────


def test_who_is_decided_to_be_one_person_is_one_without_a_rule() -> None:
    found = resolved(linked=[(WANG, LI)])
    assert persons(found) == [{WANG, LI}]
    assert not found.links and not found.refused


def test_who_decides_may_know_that_a_number_was_corrected() -> None:
    found = resolved(linked=[(WANG, LI)], numbers={WANG: "one", LI: "other"})
    assert persons(found) == [{WANG, LI}]


@pytest.mark.parametrize("number", ["one", "other"])
def test_a_person_of_two_numbers_has_both(number: str) -> None:
    numbers = {WANG: "one", LI: "other", CHEN: number, LI_AGAIN: "third"}
    found = resolved((0, LI, CHEN), (1, LI, LI_AGAIN), linked=[(WANG, LI)], numbers=numbers)
    assert persons(found) == [{WANG, LI, CHEN}]
    assert doubts(found) == [(LI, LI_AGAIN, "two_numbers")]


@pytest.mark.parametrize("named", list(permutations((WANG, LI, CHEN))))
def test_decisions_that_cannot_all_be_are_refused_together(named: tuple[int, ...]) -> None:
    wang, li, chen = named
    found = resolved(linked=[(wang, li), (li, chen)], rolls=of_one_roll(wang, chen))
    assert dict(found.refused) == {(wang, li): "ambiguous", (li, chen): "ambiguous"}
    assert not found.roots


@pytest.mark.parametrize(
    ("facts", "doubt"),
    [
        ({"rolls": of_one_roll(WANG, LI)}, "one_roll"),
        (
            {"rolls": of_one_roll(WANG, LI), "numbers": {WANG: "one", LI: "other"}},
            "one_roll",
        ),
        ({"parted": [(LI, WANG)]}, "decided"),
        ({"largest": 1}, "too_large"),
    ],
)
def test_a_decision_that_cannot_be_is_refused(facts: dict[str, Any], doubt: Doubt) -> None:
    found = resolved(linked=[(WANG, LI)], **facts)
    assert found.refused == (((WANG, LI), doubt),)
    assert not found.roots


def test_who_is_decided_to_be_two_persons_is_not_linked() -> None:
    found = resolved((0, WANG, LI), parted=[(LI, WANG)])
    assert doubts(found) == [(WANG, LI, "decided")]


def test_who_is_decided_to_be_two_persons_is_not_linked_through_a_third() -> None:
    found = resolved((0, WANG, CHEN), (1, CHEN, LI), parted=[(WANG, LI)])
    assert linked(found) == [(WANG, CHEN)]
    assert doubts(found) == [(CHEN, LI, "decided")]


def test_a_source_that_somebody_has_split_off_does_not_come_back() -> None:
    found = resolved(
        (0, WANG, LI), barred={WANG: frozenset({"health"})}, sources={LI: frozenset({"health"})}
    )
    assert doubts(found) == [(WANG, LI, "decided")]


def test_a_split_source_does_not_come_back_through_a_third() -> None:
    found = resolved(
        (0, WANG, CHEN),
        (1, LI, CHEN),
        barred={WANG: frozenset({"health"})},
        sources={LI: frozenset({"health"})},
    )
    assert linked(found) == [(WANG, CHEN)]
    assert doubts(found) == [(LI, CHEN, "decided")]


def test_another_source_is_not_barred() -> None:
    found = resolved(
        (0, WANG, LI), barred={WANG: frozenset({"health"})}, sources={LI: frozenset({"education"})}
    )
    assert linked(found) == [(WANG, LI)]


# ── whatever the pairs ──────────────────────────────────────────────────────────────────────────

NODES = range(12)
RULES = [rule(), rule("review"), rule(), rule()]
nodes = st.sampled_from(NODES)
two_nodes = st.tuples(nodes, nodes).filter(lambda two: two[0] != two[1])
pairs_drawn = st.lists(
    st.builds(lambda place, two: Pair(place, *two), st.integers(0, len(RULES) - 1), two_nodes),
    max_size=30,
)
some_of = st.frozensets(st.sampled_from(("a", "b", "c")), max_size=2)
facts_drawn = st.builds(
    Facts,
    numbers=st.dictionaries(nodes, st.sampled_from(("one", "other")), max_size=5),
    rolls=st.dictionaries(nodes, some_of, max_size=8),
    linked=st.lists(two_nodes, max_size=3),
    parted=st.lists(two_nodes, max_size=3),
    barred=st.dictionaries(nodes, some_of, max_size=3),
    sources=st.dictionaries(nodes, some_of, max_size=6),
)
largest_drawn = st.integers(1, 6)
many = settings(max_examples=400, deadline=None)


def shared(values: Mapping[int, frozenset[str]], cluster: Iterable[int]) -> list[str]:
    """Values that more than one node of a cluster has."""
    return [
        value
        for one, other in combinations(cluster, 2)
        for value in values.get(one, frozenset()) & values.get(other, frozenset())
    ]


@many
@given(pairs_drawn, facts_drawn, largest_drawn, st.randoms(use_true_random=False))
def test_the_same_pairs_in_any_order_give_the_same(
    pairs: list[Pair], facts: Facts, largest: int, order: Any
) -> None:
    found = resolve(pairs, RULES, facts, largest)
    shuffled = list(pairs)
    order.shuffle(shuffled)
    assert resolve(shuffled, RULES, facts, largest) == found


@many
@given(pairs_drawn, facts_drawn, largest_drawn, st.permutations(NODES))
def test_nothing_hangs_on_the_numbering_of_the_nodes(
    pairs: list[Pair], facts: Facts, largest: int, name: list[int]
) -> None:
    def pair_of(pair: Pair) -> Pair:
        return Pair(pair.rule, name[pair.one], name[pair.other])

    def nodes_of(two: tuple[int, int]) -> tuple[int, int]:
        return name[two[0]], name[two[1]]

    found = resolve(pairs, RULES, facts, largest)
    renamed = Facts(
        numbers={name[node]: number for node, number in facts.numbers.items()},
        rolls={name[node]: rolls for node, rolls in facts.rolls.items()},
        linked=[nodes_of(two) for two in facts.linked],
        parted=[nodes_of(two) for two in facts.parted],
        barred={name[node]: barred for node, barred in facts.barred.items()},
        sources={name[node]: sources for node, sources in facts.sources.items()},
    )
    again = resolve([pair_of(pair) for pair in pairs], RULES, renamed, largest)
    expected = sorted(sorted(name[node] for node in cluster) for cluster in persons(found))
    assert sorted(map(sorted, persons(again))) == expected
    assert set(again.reviews) == {(pair_of(pair), doubt) for pair, doubt in found.reviews}
    assert set(again.refused) == {(nodes_of(two), doubt) for two, doubt in found.refused}


@many
@given(pairs_drawn, facts_drawn, largest_drawn)
def test_no_person_has_what_only_two_can_have(
    pairs: list[Pair], facts: Facts, largest: int
) -> None:
    found = resolve(pairs, RULES, facts, largest)
    for cluster in persons(found):
        assert 1 < len(cluster) <= largest
        assert not shared(facts.rolls, cluster)
        assert not any(set(parted) <= cluster for parted in facts.parted)
        for node in cluster:
            for other in cluster - {node}:
                barred = facts.barred.get(node, frozenset())
                assert not barred & facts.sources.get(other, frozenset())


@many
@given(pairs_drawn, facts_drawn, largest_drawn)
def test_two_proven_numbers_are_one_person_only_where_somebody_has_decided_it(
    pairs: list[Pair], facts: Facts, largest: int
) -> None:
    found = resolve(pairs, RULES, facts, largest)
    decided = {node for two in facts.linked for node in two}
    for cluster in persons(found):
        numbers = {facts.numbers[node] for node in cluster if node in facts.numbers}
        assert len(numbers) < 2 or cluster & decided


@many
@given(pairs_drawn, facts_drawn, largest_drawn)
def test_every_pair_is_linked_reviewed_or_of_one_person(
    pairs: list[Pair], facts: Facts, largest: int
) -> None:
    found = resolve(pairs, RULES, facts, largest)
    reviewed = {pair for pair, _ in found.reviews}
    assert set(found.links).isdisjoint(reviewed)
    for pair in pairs:
        is_one = found.roots.get(pair.one, pair.one) == found.roots.get(pair.other, pair.other)
        assert pair in found.links or pair in reviewed or is_one
    for pair in found.links:
        assert found.roots[pair.one] == found.roots[pair.other]


@many
@given(pairs_drawn, facts_drawn, largest_drawn)
def test_persons_are_held_together_by_links_and_decisions_alone(
    pairs: list[Pair], facts: Facts, largest: int
) -> None:
    found = resolve(pairs, RULES, facts, largest)
    joined = [(pair.one, pair.other) for pair in found.links]
    joined += [two for two in facts.linked if two not in {two for two, _ in found.refused}]
    again = resolve([], (), Facts(linked=joined), len(NODES))
    assert sorted(map(sorted, persons(again))) == sorted(map(sorted, persons(found)))
    assert not any(RULES[pair.rule].outcome == "review" for pair in found.links)
