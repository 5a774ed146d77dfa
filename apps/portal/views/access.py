"""Log-in and log-out."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.throttle import wait_before_login

WRONG = "User name and password do not match, or the account is closed. Check both and try again."
TOO_MANY = "There were too many attempts. Wait a minute, then try again."


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """One answer for every wrong pair, whoever exists; too many attempts wait (429)."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(_next_page(request))
    if request.method != "POST":
        return _form(request)
    username = request.POST.get("username", "")
    if wait := wait_before_login(request, username):
        answer = _form(request, problem=TOO_MANY, username=username, status=429)
        answer.headers["Retry-After"] = str(wait)
        return answer
    form = AuthenticationForm(request, request.POST)
    if not form.is_valid():
        return _form(request, problem=WRONG, username=username, status=400)
    login(request, form.get_user())
    return HttpResponseRedirect(_next_page(request))


@require_http_methods(["POST"])
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL))


def _form(request: HttpRequest, *, problem: str = "", username: str = "", status: int = 200) -> HttpResponse:
    wanted = request.POST.get("next", request.GET.get("next", ""))
    shown = {"problem": problem, "username": username[:150], "next": wanted}
    return render(request, "portal/login.html", shown, status=status)


def _next_page(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is on this site."""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else resolve_url(settings.LOGIN_REDIRECT_URL)
