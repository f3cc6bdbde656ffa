"""The page that describes the API, Swagger UI, with everything that it loads from this host."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

from bi2scope.data.errors import NotFoundError
from bi2scope.server.guards.headers import content_policy

ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""Files of the page and their types; fastapi-offline carries them."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bi2scope API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{address}/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="{address}/swagger-ui-bundle.js"></script>
<script>{script}</script>
</body>
</html>
"""

SCRIPT = (
    'SwaggerUIBundle({{url: "{description}", dom_id: "#page", deepLinking: true, '
    "presets: [SwaggerUIBundle.presets.apis], validatorUrl: null, tryItOutEnabled: true}});"
)
"""``validatorUrl``: without it the page would send the description to a public host."""


def install(api: FastAPI, address: str) -> None:
    """Serve the page at an address, and its files below it."""
    script = SCRIPT.format(description=api.openapi_url)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = PAGE.format(address=address, script=script)
    policy = {"Content-Security-Policy": content_policy([f"'sha256-{digest}'"])}

    def reference() -> Response:
        return HTMLResponse(page, headers=policy)

    def asset(name: str) -> Response:
        if name not in ASSETS:
            raise NotFoundError("file", name, ASSETS, where="of this page")
        contents = (files("fastapi_offline") / "static" / name).read_bytes()
        return Response(contents, media_type=ASSETS[name], headers={"Cache-Control": "private, max-age=86400"})

    api.add_api_route(address, reference, include_in_schema=False)
    api.add_api_route(f"{address}/{{name}}", asset, include_in_schema=False)
