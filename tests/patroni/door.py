"""An address that leads to the primary of a Patroni cluster, as HAProxy's does.

    door.py PORT REST...

Patroni answers GET /primary with 200 on the primary alone. Connections to what no longer
is the primary are cut.
"""

import asyncio
import json
import sys
import urllib.error
import urllib.request

primary = None
connections = set()


def ask(rest):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{rest}/primary", timeout=1) as answer:
            node = json.load(answer)
        with urllib.request.urlopen(f"http://127.0.0.1:{rest}/cluster", timeout=1) as answer:
            members = json.load(answer)["members"]
        name = node["patroni"]["name"]
        return next(member["port"] for member in members if member["name"] == name)
    except (OSError, urllib.error.URLError, StopIteration, KeyError, ValueError):
        return None


async def look(rests):
    global primary
    while True:
        answers = await asyncio.gather(*(asyncio.to_thread(ask, rest) for rest in rests))
        found = next((port for port in answers if port), None)
        if found != primary:
            print("primary:", found, flush=True)
            primary = found
            for writer in list(connections):
                writer.transport.abort()
        await asyncio.sleep(0.25)


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.transport.abort()


async def serve(reader, writer):
    try:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", primary or 1)
    except OSError:
        writer.transport.abort()
        return
    connections.update((writer, onward))
    await asyncio.gather(copy(reader, onward), copy(onward_reader, writer))
    connections.difference_update((writer, onward))


async def main():
    port, *rests = sys.argv[1:]
    server = await asyncio.start_server(serve, "127.0.0.1", int(port))
    async with server:
        await look(rests)


asyncio.run(main())
