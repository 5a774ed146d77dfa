"""A request from asking to done, through the API alone."""

from __future__ import annotations

from tests.api.conftest import DATA, World


def test_a_request_goes_all_the_way(world: World) -> None:
    rita, mia, ivo = world.client("rita"), world.client("mia"), world.client("ivo")

    made = rita.api("post", "/requests/", {"item": "laptop", "title": "A new laptop", "data": DATA})
    assert (made.status_code, made.json()["status"], made.json()["stage"]) == (201, "submitted", "approval")
    number = made.json()["number"]
    assert made["Location"].endswith(f"/api/v1/requests/{number}/")

    waiting = mia.api("get", "/approvals/").json()["results"]
    assert [one["request"] for one in waiting] == [number]
    decided = mia.api("post", f"/approvals/{waiting[0]['id']}/decide/", {"decision": "approve", "comment": "Fine"})
    assert (decided.status_code, decided.json()["status"]) == (200, "approved")
    (seat,) = decided.json()["levels"][0]["seats"]
    assert (seat["user"], seat["decision"]["verdict"], seat["decision"]["comment"]) == ("mia", "approve", "Fine")

    (task,) = ivo.api("get", "/tasks/").json()["results"]
    assert [one["id"] for one in task["outcomes"]] == ["done", "refused"]
    assert ivo.api("post", f"/tasks/{task['id']}/claim/").json()["status"] == "claimed"
    assert ivo.api("post", f"/tasks/{task['id']}/release/").json()["status"] == "open"
    assert ivo.api("post", f"/tasks/{task['id']}/claim/").json()["assignee"] == "ivo"
    assert ivo.api("post", f"/tasks/{task['id']}/complete/", {"outcome": "done"}).json()["status"] == "done"

    ended = rita.api("get", f"/requests/{number}/").json()
    assert (ended["status"], ended["outcome"], ended["assignee"]) == ("completed", "completed", "ivo")
    assert [clock["status"] for clock in rita.api("get", f"/requests/{number}/clocks/").json()["results"]] == [
        "met",
        "met",
    ]
