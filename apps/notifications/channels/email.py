"""Mail: one message per person and event, sent by the relay, retried and dead-lettered like every delivery."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from apps.notifications.models import Notification
from apps.notifications.render import render
from apps.outbox.models import Delivery


def send(delivery: Delivery) -> None:
    """Mails the notification of this event to the person the delivery names (`email:7`).

    At least once: the Message-ID is the same for every attempt. A person who has left or lost the address is skipped.
    """
    user_id = int(delivery.subscriber.partition(":")[2])
    shown = Notification.objects.select_related("user", "event__stream__request")
    notification = shown.filter(user_id=user_id, event_id=delivery.event_id).first()
    if notification is None or not notification.user.is_active or not notification.user.email:
        return
    words = render(notification)
    greeting = f"Hello {notification.user.first_name or notification.user.username},"
    body = "\n\n".join(part for part in (greeting, words.subject + ".", words.text, words.url) if part)
    message_id = f"<event-{delivery.event_id}-user-{user_id}@{urlsplit(settings.SITE_URL).hostname}>"
    EmailMessage(
        subject=words.subject[:200], body=body, to=[notification.user.email], headers={"Message-ID": message_id}
    ).send()
