"""One worker process: loads the handler and serves one event after the other, as Nuclio's Python wrapper does.

Started by the host as ``python -u -m cvat_bridge.embedded.nuclio.worker`` in the function's folder. A socket carries
the events in and the replies out; logs and whatever the handler prints go to stdout and stderr.

Frames on the socket are a 4-byte big-endian length and that many bytes. An event is two frames, JSON fields and the
body; a reply is one frame of JSON, either what ``nuclio_sdk`` makes of the handler's output, or a list of those.
The first frame sent, empty, says that ``init_context`` is done.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import logging
import signal
import socket
import sys
import traceback
from types import ModuleType
from typing import Any

import nuclio_sdk
import nuclio_sdk.json_encoder
import nuclio_sdk.logger


class Runtime:
    """The handler with its context, on the running event loop."""

    def __init__(self, handler: str, worker_id: int, trigger_name: str, logger: nuclio_sdk.Logger) -> None:
        module_name, self._entrypoint = handler.split(":")
        self._module: ModuleType = importlib.import_module(module_name)
        self._handler = getattr(self._module, self._entrypoint)
        self._logger = logger
        self._encode = nuclio_sdk.json_encoder.Encoder().encode
        self.platform = nuclio_sdk.Platform("local", namespace="nuclio")
        trigger = nuclio_sdk.TriggerInfo("http", trigger_name)
        self._context = nuclio_sdk.Context(logger, self.platform, worker_id, trigger)

    async def initialise(self) -> None:
        if hasattr(self._module, "init_context"):
            await _awaited(self._module.init_context(self._context))

    async def reply(self, fields: bytes, body: bytes) -> bytes:
        """Calls the handler with the event that these fields and this body make up."""
        try:
            parsed = {**json.loads(fields), "body": body}
            event = nuclio_sdk.Event.deserialize(parsed, kind=nuclio_sdk.EventDeserializerKinds.msgpack)
            output = await _awaited(self._handler(self._context, event))
            if isinstance(output, list):  # a batch of responses
                return self._encoded(
                    [nuclio_sdk.Response.from_entrypoint_output(self._encode, item) for item in output]
                )
            return self._encoded(nuclio_sdk.Response.from_entrypoint_output(self._encode, output))
        except Exception as error:
            text = traceback.format_exc()
            self._logger.error_with("Exception caught in handler", exc=str(error), traceback=text)
            failure = nuclio_sdk.Response.empty_response()
            failure |= {"status_code": 500, "body": f'Exception caught in handler - "{error}": {text}'}
            return self._encoded(failure)

    def _response(self, output: Any) -> dict[str, Any]:
        response: dict[str, Any] = nuclio_sdk.Response.from_entrypoint_output(self._encode, output)
        return response

    def _encoded(self, response: Any) -> bytes:
        return str(self._encode(response)).encode()


async def _awaited(output: Any) -> Any:
    return await output if inspect.iscoroutine(output) else output


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(length)


def _write_frame(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(len(data).to_bytes(4, "big"))
    writer.write(data)


async def _serve(connection: socket.socket, runtime: Runtime) -> None:
    """Serves until the host goes away, or until SIGUSR1 asks to end, which waits for an event in progress."""
    reader, writer = await asyncio.open_connection(sock=connection)
    await runtime.initialise()
    _write_frame(writer, b"")
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, asked_to_end.set)
    loop.add_signal_handler(signal.SIGUSR2, runtime.platform._on_signal, "drain")
    ending = asyncio.ensure_future(asked_to_end.wait())
    while not asked_to_end.is_set():
        event = asyncio.ensure_future(_read_event(reader))
        await asyncio.wait({event, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not event.done():
            event.cancel()
            break
        try:
            _write_frame(writer, await runtime.reply(*event.result()))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):  # the host is gone
            ending.cancel()
            return
    runtime.platform._on_signal("termination")


async def _read_event(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    return await _read_frame(reader), await _read_frame(reader)


async def _run(arguments: argparse.Namespace, logger: nuclio_sdk.Logger) -> int:
    try:
        runtime = Runtime(arguments.handler, arguments.worker_id, arguments.trigger_name, logger)
        await _serve(socket.socket(fileno=arguments.socket), runtime)
    except Exception as error:
        logger.error_with("Worker cannot start", err=str(error), traceback=traceback.format_exc())
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--handler", required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--worker-id", type=int, required=True)
    parser.add_argument("--trigger-name", required=True)
    logger = nuclio_sdk.Logger(logging.DEBUG)
    logger.set_handler("default", sys.stderr, nuclio_sdk.logger.JSONFormatter())
    return asyncio.run(_run(parser.parse_args(), logger))


if __name__ == "__main__":
    sys.exit(main())
