import pytest

from apps.core import clock
from apps.notifications.models import Notification
from tests.core.admin_pages import address, admin_client
from tests.factories import make_item, make_person, make_request, make_team

pytestmark = pytest.mark.django_db


def test_the_list_says_who_was_told_of_what_and_can_be_searched_by_person() -> None:
    client, _ = admin_client()
    make_team("it", make_person("bob"))
    ann = make_person("ann", manager=make_person("boss"))
    event = make_request(make_item(), ann).stream.events.latest("seq")
    told = Notification.objects.create(user=ann, event=event, kind="submitted", at=clock.now())
    for query, found in (("ann", [told]), ("submitted", [told]), ("boss", [])):
        page = client.get(address(Notification, "changelist"), {"q": query})
        assert list(page.context["cl"].result_list) == found
