"""The accounts of the tests' servers, and how the official SDK logs in to one."""

from __future__ import annotations

from cvat_sdk import Client, Config

PASSWORDS = {"admin": "admin-secret", "reviewer1": "first-secret", "reviewer2": "second-secret"}


def log_in(url: str, name: str) -> Client:
    client = Client(url, config=Config(status_check_period=0.05), check_server_version=False)
    client.login((name, PASSWORDS[name]))
    return client
