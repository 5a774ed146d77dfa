from apps.approvals.models.approval import Approval, ApprovalLevel, Decision, Seat
from apps.approvals.models.policy import ApprovalPolicyVersion

__all__ = ["Approval", "ApprovalLevel", "ApprovalPolicyVersion", "Decision", "Seat"]
