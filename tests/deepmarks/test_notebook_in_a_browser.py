"""The feedback in JupyterLab, looked at through a real browser."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "mini_assignment"
BUILT = ROOT / "assignments" / "a8_self_attention"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--window-size=1100,2600",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium or chromedriver is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="the flags are for Linux"),
]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path

    def address(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/{notebook}?token={self.token}&reset"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(folder: Path, theme: str) -> None:
    """No question about news, and the theme."""
    for name, values in {
        "notification": {"fetchNews": "false", "checkForUpdates": False},
        "themes": {"theme": theme},
    }.items():
        file = folder / "@jupyterlab" / "apputils-extension" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab")
    folder, home = tmp_path / "course", tmp_path / "home"
    folder.mkdir()
    settings(home / "settings", os.environ.get("DEEPMARKS_THEME", "JupyterLab Light"))
    port, token = free_port(), secrets.token_hex(16)
    places = {
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={folder}"]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **{name: str(path) for name, path in places.items()}, "OMP_NUM_THREADS": "1"},
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for_server(f"{url}/api/status?token={token}", server, tmp_path / "lab.log")
            yield Lab(url, token, folder)
        finally:
            stop_kernels(url, token)
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_for_server(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()[-2000:]}")


def stop_kernels(url: str, token: str) -> None:
    headers = {"Authorization": f"token {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/kernels", headers=headers), timeout=5) as reply:
            kernels = json.load(reply)
        for kernel in kernels:
            request = urllib.request.Request(f"{url}/api/kernels/{kernel['id']}", headers=headers, method="DELETE")
            urllib.request.urlopen(request, timeout=10).close()
    except OSError:
        return  # the server is gone, and its kernels with it


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def run_all(lab: Lab, browser: Any, notebook: str, outputs: int) -> list[Any]:
    """Open the notebook, run all its cells, and wait for that many of our boxes."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, 150)
    browser.get(lab.address(notebook))
    wait.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell"))
    ready = """
        const app = window.jupyterapp;
        const panel = app && app.shell.currentWidget;
        const session = panel && panel.sessionContext;
        return Boolean(session && session.session && session.session.kernel
                       && session.session.kernel.status === "idle");
    """
    wait.until(lambda driver: driver.execute_script(ready))
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    boxes = ".jp-OutputArea-output section[aria-label]"
    wait.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, boxes)) >= outputs)
    return list(browser.find_elements(By.CSS_SELECTOR, boxes))


def screenshot(browser: Any, element: Any | None = None) -> None:
    target = os.environ.get("DEEPMARKS_SCREENSHOT")
    if target:
        (element or browser).screenshot(target) if element else browser.save_screenshot(target)


def test_a_notebook_shows_the_doctors_sentence(lab: Lab, browser: Any) -> None:
    shutil.copytree(FIXTURE, lab.folder / "mini", ignore=shutil.ignore_patterns(".*", "__pycache__"))

    first, second, summary = run_all(lab, browser, "mini/mini.ipynb", 3)
    screenshot(browser)

    assert "✗ failed" in first.text
    assert "The softmax looks like the softmax over the batch axis." in first.text
    assert "See section 1." in first.text
    assert 'Stuck? grader.hint("q1")' in first.text
    assert "What your code printed" in first.text
    assert "sum of all" not in first.text, "printed output is folded"
    assert "✓ passed" in second.text
    assert "Public checks: 2 of 4 points" in summary.text
    for box in (first, second, summary):
        assert "Traceback" not in box.text


@pytest.mark.skipif(not BUILT.is_dir(), reason="assignments/a8_self_attention is not built")
def test_an_untouched_assignment_is_not_attempted(lab: Lab, browser: Any) -> None:
    shutil.copytree(BUILT, lab.folder / BUILT.name, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    notebook = lab.folder / BUILT.name / f"{BUILT.name}.ipynb"
    content = json.loads(notebook.read_text())
    kept = [cell for cell in content["cells"] if "otter_ignore" not in cell["metadata"].get("tags", [])]
    for cell in kept:  # a stub that is called stops "run all" otherwise
        cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "raises-exception"]
    notebook.write_text(json.dumps({**content, "cells": kept}))

    (first, *_) = run_all(lab, browser, f"{BUILT.name}/{BUILT.name}.ipynb", 1)

    assert "not attempted" in first.text
    assert 'Stuck? grader.hint("q1")' in first.text
