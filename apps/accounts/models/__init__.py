from apps.accounts.models.delegation import Delegation
from apps.accounts.models.team import Team
from apps.accounts.models.ticket import Ticket
from apps.accounts.models.user import User

__all__ = ["Delegation", "Team", "Ticket", "User"]
