"""``python -m cvat_bridge.embedded.server``: the embedded server as a process of its own, on this machine only.

Passwords come as JSON on the standard input (``--passwords-stdin``: {"admin": ..., "reviewer1": ..., "reviewer2": ...})
or, for admin, from an environment variable; never on the command line, where every user could read them.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from werkzeug.serving import make_server

from cvat_bridge.embedded.server import auth
from cvat_bridge.embedded.server.app import create_app, create_server
from spam_model.errors import InputError, SpamError

HOST = "127.0.0.1"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cvat_bridge.embedded.server", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the database and the media")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, told in the ready file")
    parser.add_argument("--ready-file", type=Path, required=True, help="written once connections are accepted")
    parser.add_argument("--passwords-stdin", action="store_true", help="read passwords as JSON from the input")
    parser.add_argument("--functions", metavar="URL", help="of the dashboard of a function host, for lambda functions")
    parser.add_argument("--admin-password-env", metavar="NAME", help="environment variable with admin's password")
    return parser.parse_args(argv)


def _passwords(arguments: argparse.Namespace) -> dict[str, str]:
    passwords: dict[str, str] = {}
    if arguments.passwords_stdin:
        passwords |= _parsed(sys.stdin.read())
    if arguments.admin_password_env is not None:
        name = arguments.admin_password_env
        if not os.environ.get(name):
            raise InputError(f"environment variable {name} is not set: it should hold the password of admin")
        passwords[auth.ADMIN] = os.environ[name]
    return passwords


def _parsed(text: str) -> dict[str, str]:
    try:
        passwords = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("the standard input is not JSON") from error
    known = {auth.ADMIN, *auth.REVIEWERS}
    if not isinstance(passwords, dict) or not all(isinstance(value, str) for value in passwords.values()):
        raise InputError("the standard input should be a JSON object of user names and passwords")
    if passwords.keys() - known:
        raise InputError(f"passwords are for {', '.join(sorted(known))} only")
    return passwords


def _write_ready_file(path: Path, url: str) -> None:
    """Renamed into place: whoever sees the file can read it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    draft.replace(path)


def _serve(arguments: argparse.Namespace) -> None:
    passwords = _passwords(arguments)
    server = create_server(arguments.data, arguments.functions)
    with server.database.transaction() as connection:
        auth.create_users(connection, passwords)
        if not auth.has_password(connection, auth.ADMIN):
            raise InputError("a new server needs a password for admin: see --passwords-stdin")
    http = make_server(HOST, arguments.port, create_app(server), threaded=True)

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=http.shutdown).start()  # shutdown waits for the loop that this handler interrupts

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _write_ready_file(arguments.ready_file, f"http://{HOST}:{http.server_port}")
    try:
        http.serve_forever()
    finally:
        arguments.ready_file.unlink(missing_ok=True)
        http.server_close()
        server.close()


def main(argv: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        _serve(_arguments(argv))
    except SpamError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
