"""The stock of domains: complete, connected, and said in forms that fit every question."""

import math
import pkgutil
import re
from importlib import import_module

import pytest

from sql_env.server.procedural import domains
from sql_env.server.procedural.domain import (
    Attribute,
    Bridge,
    Category,
    Codes,
    Day,
    Domain,
    Entity,
    Flag,
    Label,
    Listed,
    Made,
    Number,
    Year,
)

NAMES = sorted(found.name for found in pkgutil.iter_modules(domains.__path__))
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@pytest.fixture(params=NAMES)
def domain(request: pytest.FixtureRequest) -> Domain:
    """Return each domain."""
    found = import_module(f"sql_env.server.procedural.domains.{request.param}").DOMAIN
    assert found.name == request.param
    assert isinstance(found, Domain)
    return found


def both(phrase: object) -> tuple[str, str]:
    return phrase if isinstance(phrase, tuple) else (phrase, phrase)  # type: ignore[return-value]


def columns(entity: Entity) -> list[Attribute]:
    return [*([entity.label] if entity.label else []), *entity.attributes]


def test_a_domain_is_a_connected_graph_of_entities(domain: Domain) -> None:
    names = [entity.name for entity in domain.entities]
    assert 7 <= len(names) <= 9
    assert len(set(names)) == len(names)
    edges = {frozenset((entity.name, link.to)) for entity in domain.entities for link in entity.links}
    assert {name for edge in edges for name in edge} == set(names)
    reached = {names[0]}
    for _ in names:
        reached |= {name for edge in edges if edge & reached for name in edge}
    assert reached == set(names)
    assert any(link.to == entity.name for entity in domain.entities for link in entity.links), "one self-reference"
    assert domain.bridges


def test_entities_and_columns_have_plain_names(domain: Domain) -> None:
    for entity in domain.entities:
        assert WORD.fullmatch(entity.name)
        assert entity.one != entity.many
        assert entity.rows in ("few", "some", "many")
        found = [attribute.column for attribute in columns(entity)]
        roles = [link.role for link in entity.links]
        assert all(WORD.fullmatch(name) and not name.endswith("_id") for name in found + roles), (found, roles)
        assert len(set(found + roles)) == len(found + roles), entity.name
        nouns = [attribute.noun for attribute in columns(entity)]
        assert len(set(nouns)) == len(nouns), entity.name
        if entity.label is None:
            assert len(entity.links) >= 1
            assert entity.rows == "many"
        elif entity.rows != "many":
            assert len(entity.attributes) >= 3, entity.name
        for attribute in columns(entity):
            assert 0 <= attribute.nulls < 0.5
            assert attribute.noun == attribute.noun.strip()
            assert not re.match(r"(an?|the) ", attribute.noun)


def test_links_go_to_entities_with_a_label_and_say_so_both_ways(domain: Domain) -> None:
    by_name = {entity.name: entity for entity in domain.entities}
    for entity in domain.entities:
        for link in entity.links:
            assert link.to in by_name
            assert by_name[link.to].label or by_name[link.to].rows == "many"
            assert link.of.count("{}") == 1
            assert all(form.count("{}") == 1 for form in both(link.did)), link
        between = [(link.to, link.role) for link in entity.links]
        assert len(set(between)) == len(between)
    for bridge in domain.bridges:
        assert isinstance(bridge, Bridge)
        targets = [link.to for link in by_name[bridge.entity].links]
        assert sorted((bridge.left, bridge.right)) == sorted(t for t in targets if t in (bridge.left, bridge.right))
        for form in (*both(bridge.left_did), *both(bridge.right_did)):
            assert form.count("{}") == 1


def test_values_are_plenty_and_phrases_complete(domain: Domain) -> None:
    for entity in domain.entities:
        for attribute in columns(entity):
            match attribute:
                case Label(names=Made(parts)):
                    assert math.prod(map(len, parts)) >= 150, attribute
                case Label(names=Codes(pattern)):
                    assert 10 ** pattern.count("#") * 26 ** pattern.count("@") >= 1000, attribute
                case Label(names=Listed(names)):
                    assert len(set(names)) == len(names)
                    assert len(names) >= (10 if entity.rows == "few" else 60)
                case Category(options=options, of=of):
                    assert 3 <= len(options) <= 12
                    assert len({option.casefold() for option in options}) == len(options)
                    assert not of or of.count("{}") == 1
                case Number(low=low, high=high, step=step, skew=skew):
                    assert low < high
                    assert step > 0
                    assert (high - low) / step >= 4
                    assert skew >= 1
                    assert not (attribute.adjectives and attribute.counted)
                    if attribute.counted:
                        assert attribute.noun.startswith(("number of", "count of"))
                case Year(low=low, high=high):
                    assert low + 5 <= high
                case Day(first=first, last=last):
                    assert (last - first).days >= 200
                case Flag(yes=yes, no=no):
                    assert both(yes) != both(no)
