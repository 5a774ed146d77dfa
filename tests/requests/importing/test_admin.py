"""Staff read in the admin what became of imported cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.requests.models import ImportedCase
from tests.core.admin_pages import address, admin_client
from tests.requests.importing.logs import APPROVED, ASKED, CHECKED, Desk, rows

pytestmark = pytest.mark.django_db


def test_a_refused_case_is_listed_with_its_reason_and_leads_to_its_request(tmp_path: Path):
    Desk(folder=tmp_path).import_rows(*rows("A1", ASKED, APPROVED), *rows("A2", ASKED, CHECKED))
    client, _ = admin_client()
    page = client.get(address(ImportedCase, "changelist"), {"q": "not possible"}).content.decode()
    row = ImportedCase.objects.select_related("request").get(case="A1")
    assert "Approved is not possible at check" in page
    assert row.request.number in page
    assert ">A2<" not in page
    assert client.get(address(ImportedCase, "change", row.pk)).status_code == 200
    assert client.post(address(ImportedCase, "change", row.pk), {"reason": "none"}).status_code == 403
