from __future__ import annotations

import pytest

from apps.core.zones import is_zone


@pytest.mark.parametrize(
    "name", ["Europe/Amsterdam", "UTC", "Etc/UTC", "Etc/GMT+5", "US/Eastern", "Asia/Calcutta", "CET", "EST5EDT"]
)
def test_zones_and_their_other_names_can_be_chosen(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        *("localtime", "posixrules", "right/Europe/Amsterdam", "posix/Europe/Amsterdam", "Factory"),
        *("", "Europe", "europe/amsterdam", "../etc/localtime", "/etc/localtime", "EST5EDT,M3.2.0", "a\0", None, 3, []),
    ],
)
def test_what_lies_beside_the_zones_cannot(name: object) -> None:
    assert not is_zone(name)
