from apps.requests.forms.form import Form, check_form

__all__ = ["Form", "check_form"]
