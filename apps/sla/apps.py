from django.apps import AppConfig


class SLAConfig(AppConfig):
    name = "apps.sla"
    label = "sla"
