"""Nuclio handler of the bridge's remote backend. CVAT does not call it; see function.yaml."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from serverless.functions.engine import Engine, respond


def init_context(context: Any) -> None:
    """Loads detector and model, once per worker."""
    engine = Engine.from_environment(os.environ)
    context.user_data.engine = engine
    context.logger.info_with("engine is ready", **dataclasses.asdict(engine.describe()))


def handler(context: Any, event: Any) -> Any:
    reply = respond(context.user_data.engine, event.method, event.body, context.logger)
    return context.Response(body=reply.body, content_type=reply.content_type, status_code=reply.status)
