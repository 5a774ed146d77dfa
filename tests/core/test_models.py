from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Conflict
from apps.core.models import canonical_json, digest
from apps.requests.models import FormVersion
from tests.races import at_once

pytestmark = pytest.mark.sqlite
ONE, TWO = {"fields": [{"name": "a"}]}, {"fields": [{"name": "b"}]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None, "ü"]}, '{"a":[true,null,"ü"],"b":1}'),
        ({10: "x", 9: "y"}, '{"10":"x","9":"y"}'),
        ([1.0, -0.0, 1e22, 0.5, 1e-7], "[1,0,10000000000000000000000,0.5,1e-07]"),
        (("a", ("b",)), '["a",["b"]]'),
    ],
)
def test_a_value_is_written_in_one_way(value, written):
    assert canonical_json(value).decode() == written


def test_a_digest_is_known_to_other_programs():
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), st.integers(), max_size=5))
def test_the_order_of_keys_does_not_count(value):
    assert digest(dict(reversed(value.items()))) == digest(value)


@pytest.mark.django_db
def test_versions_are_counted_per_key():
    versions = [FormVersion.freeze(key, document) for key, document in (("x", ONE), ("x", TWO), ("y", ONE))]
    assert [(version.key, version.n) for version in versions] == [("x", 1), ("x", 2), ("y", 1)]
    assert FormVersion.objects.current("x") == versions[1]
    assert FormVersion.objects.current("z") is None


@pytest.mark.django_db
def test_freezing_the_same_again_is_the_same_version():
    first = FormVersion.freeze("x", {"a": 1, "b": 2.0}, created_by="user:1")
    assert FormVersion.freeze("x", {"b": 2.0, "a": 1}, created_by="user:2") == first
    assert FormVersion.freeze("x", FormVersion.objects.get().document) == first
    assert FormVersion.objects.values_list("n", "created_by").get() == (1, "user:1")


@pytest.mark.django_db
def test_going_back_to_an_older_document_is_a_new_version():
    FormVersion.freeze("x", ONE)
    FormVersion.freeze("x", TWO)
    assert FormVersion.freeze("x", ONE).n == 3


@pytest.mark.django_db
def test_a_version_never_changes():
    version = FormVersion.freeze("x", ONE)
    version.document = TWO
    for changed in (version, FormVersion.objects.get()):
        with pytest.raises(TypeError, match="x v1 is immutable"):
            changed.save()
    assert FormVersion.objects.get().document == ONE


@pytest.mark.django_db
def test_a_number_is_given_once():
    FormVersion.freeze("x", ONE)
    with pytest.raises(IntegrityError), transaction.atomic():
        FormVersion(key="x", n=1, document=TWO, hash=digest(TWO)).save()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_freeze_at_the_same_instant_each_number_has_one_document():
    outcomes: list[int] = []

    def freeze(document: dict) -> None:
        try:
            outcomes.append(FormVersion.freeze("x", document).n)
        except Conflict:
            outcomes.append(0)

    assert at_once(lambda: freeze(ONE), lambda: freeze(TWO)) == []
    assert sorted(outcomes) in ([0, 1], [1, 2])
    assert FormVersion.objects.count() == len([n for n in outcomes if n])
