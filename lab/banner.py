#!/usr/bin/python3
"""A server that speaks first, as those of mail and SSH do: banner.py PORT. It greets each client and hangs up."""

from __future__ import annotations

import asyncio
import sys


async def greet(_: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    client.write(b"220 at your service\r\n")
    client.close()


async def serve(port: int) -> None:
    server = await asyncio.start_server(greet, host=None, port=port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
