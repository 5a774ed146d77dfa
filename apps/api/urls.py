"""The paths below `/api/v1/`."""

from django.urls import path, re_path, register_converter

from apps.api.views import (
    approvals,
    auth,
    catalog,
    delegations,
    documents,
    history,
    notifications,
    operations,
    reports,
    requests,
    sla,
    sla_rebasing,
    trial,
    work,
    workflows,
)
from apps.api.views.base import UnknownPath

app_name = "api"


class NumberConverter:
    """A request's number."""

    regex = "SR-[0-9]{4}-[0-9]{6,12}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NumberConverter, "request_number")

REQUEST = "requests/<request_number:number>/"
APPROVAL = "approvals/<int:approval_id>/"
WORKFLOW = "workflows/<slug:key>/"
VERSION = f"{WORKFLOW}versions/<int:n>/"

urlpatterns = [
    path("auth/token/", auth.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", auth.RefreshView.as_view(), name="token-refresh"),
    path("auth/token/verify/", auth.VerifyView.as_view(), name="token-verify"),
    path("auth/logout/", auth.LogoutView.as_view(), name="logout"),
    path("auth/ws-ticket/", auth.TicketView.as_view(), name="ws-ticket"),
    path("me/", catalog.MeView.as_view(), name="me"),
    path("me/delegations/", delegations.DelegationsView.as_view(), name="delegations"),
    path("me/delegations/preview/", delegations.DelegationPreviewView.as_view(), name="delegation-preview"),
    path("me/delegations/<int:delegation_id>/", delegations.DelegationView.as_view(), name="delegation"),
    path("delegations/<int:delegation_id>/end/", delegations.EndDelegationView.as_view(), name="delegation-end"),
    path("catalog/", catalog.CatalogView.as_view(), name="catalog"),
    path("catalog/<slug:slug>/", catalog.CatalogItemView.as_view(), name="catalog-item"),
    path("requests/", requests.RequestsView.as_view(), name="requests"),
    path(REQUEST, requests.RequestView.as_view(), name="request"),
    path(f"{REQUEST}submit/", requests.SubmitView.as_view(), name="submit"),
    path(f"{REQUEST}cancel/", requests.CancelView.as_view(), name="cancel"),
    path(f"{REQUEST}hold/", requests.HoldView.as_view(), name="hold"),
    path(f"{REQUEST}resume/", requests.ResumeView.as_view(), name="resume"),
    path(f"{REQUEST}reopen/", requests.ReopenView.as_view(), name="reopen"),
    path(f"{REQUEST}priority/", requests.PriorityView.as_view(), name="priority"),
    path("sla/rebase/", sla_rebasing.RebaseView.as_view(), name="rebase"),
    path("sla/rebase/preview/", sla_rebasing.RebasePreviewView.as_view(), name="rebase-preview"),
    path("sla/rebase/<int:rebasing_id>/", sla_rebasing.RebaseProgressView.as_view(), name="rebase-progress"),
    path(f"{REQUEST}events/", history.EventsView.as_view(), name="request-events"),
    path(f"{REQUEST}clocks/", history.ClocksView.as_view(), name="request-clocks"),
    path(f"{REQUEST}explain/", history.ExplainView.as_view(), name="request-explain"),
    path(f"{REQUEST}approvals/", history.RequestApprovalsView.as_view(), name="request-approvals"),
    path(f"{REQUEST}tasks/", history.RequestTasksView.as_view(), name="request-tasks"),
    path(f"{REQUEST}comments/", history.CommentsView.as_view(), name="request-comments"),
    path("tasks/", work.TasksView.as_view(), name="tasks"),
    path("tasks/<int:task_id>/", work.TaskView.as_view(), name="task"),
    path("tasks/<int:task_id>/claim/", work.ClaimView.as_view(), name="task-claim"),
    path("tasks/<int:task_id>/release/", work.ReleaseView.as_view(), name="task-release"),
    path("tasks/<int:task_id>/complete/", work.CompleteView.as_view(), name="task-complete"),
    path("approvals/", approvals.ApprovalsView.as_view(), name="approvals"),
    path("approvals/decide/", approvals.BulkDecideView.as_view(), name="bulk-decide"),
    path(APPROVAL, approvals.ApprovalView.as_view(), name="approval"),
    path(f"{APPROVAL}decide/", approvals.DecideView.as_view(), name="decide"),
    path(f"{APPROVAL}reassign/", approvals.ReassignView.as_view(), name="approval-reassign"),
    path(f"{APPROVAL}add/", approvals.AddApproverView.as_view(), name="approval-add"),
    path(f"{APPROVAL}close/", approvals.CloseVoteView.as_view(), name="approval-close"),
    path(f"{APPROVAL}override/", approvals.OverrideView.as_view(), name="approval-override"),
    path(f"{APPROVAL}withdraw/", approvals.WithdrawApprovalView.as_view(), name="approval-withdraw"),
    path(f"{REQUEST}runs/", operations.RunsView.as_view(), name="request-runs"),
    path(f"{REQUEST}incidents/", operations.IncidentsView.as_view(), name="request-incidents"),
    path("incidents/<int:incident_id>/retry/", operations.RetryView.as_view(), name="incident-retry"),
    path("runs/<int:run_id>/skip/", operations.SkipView.as_view(), name="run-skip"),
    path("runs/<int:run_id>/move/", operations.MoveView.as_view(), name="run-move"),
    path("runs/<int:run_id>/cancel-visit/", operations.CancelVisitView.as_view(), name="run-cancel-visit"),
    path("runs/<int:run_id>/instances/", operations.AddInstanceView.as_view(), name="run-instances"),
    path("runs/<int:run_id>/instances/close/", operations.CloseInstancesView.as_view(), name="run-close"),
    path("runs/<int:run_id>/instances/finish/", operations.FinishInstancesView.as_view(), name="run-finish"),
    path("runs/<int:run_id>/messages/", history.MessagesView.as_view(), name="run-messages"),
    path("events/", history.FeedView.as_view(), name="events"),
    path("notifications/", notifications.NotificationsView.as_view(), name="notifications"),
    path("notifications/read/", notifications.ReadView.as_view(), name="notifications-read"),
    path("reports/sla/", reports.ComplianceView.as_view(), name="report-sla"),
    path("reports/sla/due/", reports.DueSoonView.as_view(), name="report-due"),
    path("reports/throughput/", reports.ThroughputView.as_view(), name="report-throughput"),
    path("reports/bottlenecks/", reports.BottlenecksView.as_view(), name="report-bottlenecks"),
    path("workflows/", workflows.WorkflowsView.as_view(), name="workflows"),
    path("workflows/import/", workflows.WorkflowImportView.as_view(), name="workflow-import"),
    path(WORKFLOW, workflows.WorkflowView.as_view(), name="workflow"),
    path(f"{WORKFLOW}versions/", workflows.WorkflowVersionsView.as_view(), name="workflow-versions"),
    path(VERSION, workflows.WorkflowVersionView.as_view(), name="workflow-version"),
    path(f"{VERSION}retire/", workflows.WorkflowRetireView.as_view(), name="workflow-retire"),
    path(f"{VERSION}export/", workflows.WorkflowExportView.as_view(), name="workflow-export"),
    path(f"{WORKFLOW}draft/", workflows.WorkflowDraftView.as_view(), name="workflow-draft"),
    path(f"{WORKFLOW}draft/check/", workflows.WorkflowCheckView.as_view(), name="workflow-check"),
    path(f"{WORKFLOW}draft/simulate/", trial.WorkflowSimulateView.as_view(), name="workflow-simulate"),
    path(f"{WORKFLOW}draft/publish/", workflows.WorkflowPublishView.as_view(), name="workflow-publish"),
    path(f"{WORKFLOW}diff/", workflows.WorkflowDiffView.as_view(), name="workflow-diff"),
    path("sla/policies/", sla.SlaPoliciesView.as_view(), name="sla-policies"),
    path("sla/policies/<slug:key>/", sla.SlaPolicyView.as_view(), name="sla-policy"),
    path("sla/calendars/", sla.SlaCalendarsView.as_view(), name="sla-calendars"),
    path("sla/calendars/<slug:key>/", sla.SlaCalendarView.as_view(), name="sla-calendar"),
    path("sla/calendars/<slug:key>/compute/", sla.ComputeView.as_view(), name="sla-compute"),
    path("schema/", documents.SchemaView.as_view(), name="schema"),
    path("docs/", documents.DocsView.as_view(), name="docs"),
    re_path("", UnknownPath.as_view()),
]
