"""Confirms one token many times at once: `tapper.py PORT TIMES TOKEN`. Prints [status, code, told what ran] each."""

from __future__ import annotations

import asyncio
import json
import sys


async def tap(port: int, token: str, decision: str = "confirm") -> tuple[int, str | None, bool]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = f"token={token}"
    head = f"POST /action/recover/{decision} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    form = "content-type: application/x-www-form-urlencoded\r\n"
    writer.write(f"{head}{form}content-length: {len(body)}\r\n\r\n{body}".encode())
    raw = await reader.read()
    writer.close()
    answered, _, told = raw.partition(b"\r\n\r\n")
    said = json.loads(told)
    return int(answered.split()[1]), said.get("code"), bool(said.get("execution"))


async def main() -> None:
    port, times, token = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    print(json.dumps(await asyncio.gather(*(tap(port, token) for _ in range(times)))))


if __name__ == "__main__":
    asyncio.run(main())
