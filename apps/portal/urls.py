"""The pages. A POST address that is opened again (GET) leads back to its page."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from apps.portal.views import (
    absence,
    access,
    answer,
    catalog,
    home,
    inbox,
    moves,
    notifications,
    operations,
    people,
    priority,
    process,
    reports,
    requests,
    rounds,
)

app_name = "portal"


class NumberConverter:
    """A request's number; anything else is not an address."""

    regex = "SR-[0-9]{4}-[0-9]{6,12}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class IdConverter(NumberConverter):
    """A row's id, within what a database can hold."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:  # type: ignore[override]
        return int(value)


register_converter(NumberConverter, "number")
register_converter(IdConverter, "row")

RUN = "requests/<number:number>/runs/<row:run>/"

urlpatterns = [
    path("", home.show, name="home"),
    path("now/", home.now, name="now"),
    path("login/", access.log_in, name="login"),
    path("logout/", access.log_out, name="logout"),
    path("catalog/", catalog.show, name="catalog"),
    path("catalog/<slug:slug>/", catalog.item, name="item"),
    path("absence/", absence.show, name="absence"),
    path("absence/preview/", absence.preview, name="absence_preview"),
    path("absence/<row:pk>/end/", absence.end, name="absence_end"),
    path("people/", people.suggest, name="people"),
    path("process/", process.show, name="process"),
    path("reports/", reports.show, name="reports"),
    path("reports/<slug:name>.csv", reports.sheet, name="report_sheet"),
    path("requests/", requests.show_all, name="requests"),
    path("requests/<number:number>/", requests.show, name="request"),
    path("requests/<number:number>/clocks/", requests.clocks, name="clocks"),
    path("requests/<number:number>/live/", requests.fragment, name="request_fragment"),
    path("requests/<number:number>/edit/", catalog.edit, name="edit"),
    path("requests/<number:number>/submit/", moves.submit, name="submit"),
    path("requests/<number:number>/cancel/", moves.cancel, name="cancel"),
    path("requests/<number:number>/hold/", moves.hold, name="hold"),
    path("requests/<number:number>/resume/", moves.resume, name="resume"),
    path("requests/<number:number>/reopen/", moves.reopen, name="reopen"),
    path("requests/<number:number>/priority/", priority.change, name="priority"),
    path("requests/<number:number>/priority/preview/", priority.show_preview, name="priority_preview"),
    path("requests/<number:number>/comment/", moves.comment, name="comment"),
    path("requests/<number:number>/incidents/<row:pk>/retry/", operations.retry, name="retry"),
    path(f"{RUN}skip/", operations.skip, name="skip"),
    path(f"{RUN}move/", operations.move_on, name="move"),
    path(f"{RUN}withdraw/", operations.withdraw, name="withdraw"),
    path(f"{RUN}instances/add/", operations.add, name="instances_add"),
    path(f"{RUN}instances/close/", operations.close, name="instances_close"),
    path(f"{RUN}instances/finish/", operations.finish, name="instances_finish"),
    path("search/", requests.search, name="search"),
    path("inbox/", inbox.show, name="inbox"),
    path("tasks/<row:pk>/claim/", moves.claim, name="claim"),
    path("tasks/<row:pk>/release/", moves.release, name="release"),
    path("tasks/<row:pk>/complete/", moves.complete, name="complete"),
    path("inbox/decide/", inbox.decide, name="decide_several"),
    path("approvals/<row:pk>/decide/", rounds.decide, name="decide"),
    path("approvals/<row:pk>/take-back/", rounds.take_back, name="take_back"),
    path("approvals/<row:pk>/close-vote/", rounds.close, name="close_vote"),
    path("approvals/<row:pk>/add-approver/", rounds.add, name="add_approver"),
    path("approvals/<row:pk>/reassign/", rounds.give, name="reassign"),
    path("approvals/<row:pk>/override/", rounds.override, name="override"),
    re_path(r"^answer/(?P<token>[\s\S]*?)/?$", answer.by_link),
    path("notifications/", notifications.show, name="notifications"),
    path("notifications/read/", notifications.mark, name="mark_read"),
]
