"""Two people in two browsers on the one embedded process: one submits, the other decides, the first sees it live."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import chromium
from tests.journeys.processes import answers, free_ports, manage, process, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
PASSWORD = "servicedemo"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The address of a demonstration with its own SQLite file."""
    (port,) = free_ports(1)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/demo.sqlite3",
        "DJANGO_SETTINGS_MODULE": "serviceflow.settings.demo",
    }
    manage("migrate", "-v0", env=env)
    manage("seed_demo", env=env)
    serve = [sys.executable, "manage.py", "serve_demo", "--port", str(port)]
    with process(serve, env=env, log=tmp_path / "demo.log") as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/healthz"), seconds=180, what="the demonstration answers")
        yield url
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(60) == 0, (tmp_path / "demo.log").read_text()[-2000:]
    assert "Stopped." in (tmp_path / "demo.log").read_text()


@pytest.fixture
def browser_here() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def log_in(browser: Browser, url: str, username: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{url}/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda place: "/login/" not in place)
    return page


def test_one_submits_the_other_decides_and_the_first_sees_it_live(demo: str, browser_here: Browser):
    sara, tom = (log_in(browser_here, demo, name) for name in ("sara", "tom"))
    sara.goto(f"{demo}/catalog/laptop/")
    sara.get_by_label("Model").select_option("light")
    sara.get_by_label("Expected price").fill("900")
    sara.get_by_label("Why do you need it?").fill("The old one stays dark.")
    sara.get_by_role("button", name="Submit").click()
    sara.wait_for_url("**/requests/SR-*/")
    number = sara.url.rstrip("/").rsplit("/", 1)[1]
    expect(sara.locator("main")).to_contain_text("Tom Berg")

    tom.goto(f"{demo}/inbox/")
    tom.get_by_role("row").filter(has_text=number).get_by_role("link").click()
    tom.get_by_role("button", name="Approve").click()
    tom.wait_for_load_state()

    history = sara.locator("main")
    expect(history).to_contain_text("Order the laptop")
    expect(history).to_contain_text("In progress")
    assert sara.url.endswith(f"{number}/")
