import pytest
from django.contrib.auth.models import Permission

from apps.outbox.models import Event
from apps.workflows.models import Task, WorkflowRun, WorkflowVersion
from tests.core.admin_pages import address, admin_client
from tests.factories import line_document, make_item, make_person, make_request, make_team, make_workflow

pytestmark = pytest.mark.django_db
CONFIRMED = {"_form_submitted": "on"}


@pytest.fixture
def version() -> WorkflowVersion:
    return make_workflow(line_document("simple")).versions.get()


def retire_address(version: WorkflowVersion) -> str:
    return f"{address(WorkflowVersion, 'change', version.pk).removesuffix('change/')}retire/"


def status(version: WorkflowVersion) -> str:
    return str(WorkflowVersion.objects.get(pk=version.pk).status)


def test_a_version_is_retired_by_the_button_once_it_is_confirmed(version: WorkflowVersion) -> None:
    client, ada = admin_client()
    assert "Retire this version?" in client.get(retire_address(version)).content.decode()
    assert status(version) == "published"
    client.post(retire_address(version), CONFIRMED)
    event = Event.objects.filter(type="workflow.retired").get()
    assert (status(version), event.actor) == ("retired", f"user:{ada.pk}")


def test_a_retired_version_is_not_retired_again(version: WorkflowVersion) -> None:
    client, _ = admin_client()
    client.post(retire_address(version), CONFIRMED)
    client.post(retire_address(version), CONFIRMED)
    assert "Only a published version can be retired." in client.get("/admin/").content.decode()
    assert Event.objects.filter(type="workflow.retired").count() == 1


def test_a_version_that_is_not_there_is_not_found(version: WorkflowVersion) -> None:
    client, _ = admin_client()
    for missing in ("0", "x", "9" * 30):
        url = retire_address(version).replace(f"/{version.pk}/", f"/{missing}/")
        assert client.post(url, CONFIRMED).status_code == 404


def test_who_may_only_look_retires_nothing(version: WorkflowVersion) -> None:
    client, person = admin_client(is_superuser=False)
    person.user_permissions.add(Permission.objects.get(codename="view_workflowversion"))
    assert client.get(address(WorkflowVersion, "change", version.pk)).status_code == 200
    assert client.post(retire_address(version), CONFIRMED).status_code == 403
    assert status(version) == "published"


def test_runs_and_tasks_lead_to_their_request() -> None:
    client, _ = admin_client()
    team = make_team("it", make_person("bob"))
    task = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": team.key}}
    item = make_item(workflow=make_workflow(line_document("simple", task)))
    request = make_request(item, make_person("ann"))
    for model in (WorkflowRun, Task):
        for page, args in (("changelist", ()), ("change", (model.objects.get().pk,))):
            assert f">{request.number} Please</a>" in client.get(address(model, page, *args)).content.decode()
