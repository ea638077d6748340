"""Readers and writers side by side, each a process of its own, on one side at a time."""

from __future__ import annotations

import json
import math
import subprocess
from contextlib import ExitStack
from typing import Any

from trdinger.bench.queries.client import COMMAND
from trdinger.errors import TargetError

WRITTEN = "BENCH{}/USDT:USDT"  # whose candles each writer stores


def load(job: dict[str, Any], *, readers: int, writers: int, seconds: float) -> dict[str, Any]:
    """Let them work; what they did together. job: what each is told but for who it is. Raises TargetError."""
    said = [{**job, "seconds": seconds, "seed": seed, "writes": None} for seed in range(readers)]
    said += [{**job, "seconds": seconds, "seed": 0, "writes": WRITTEN.format(at)} for at in range(writers)]
    with ExitStack() as opened:
        clients = [_started(opened, one) for one in said]
        for client in clients:
            if _line(client) != "ready":
                raise TargetError(f"A client of {job['side']} failed: {_error(client)}")
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("go\n")
            client.stdin.flush()
        answers = [_answer(client, str(job["side"])) for client in clients]
    asked, written = answers[:readers], answers[readers:]
    took = [one for each in asked for one in each["seconds"]]
    pages = [one for each in written for one in each["seconds"]]
    failed = [one for each in answers for one in each["failed"]]
    return {
        "by": job["side"],
        "requests": len(took),
        "requests_per_second": round(len(took) / seconds, 1),
        "p50_seconds": _share(took, 0.5),
        "p99_seconds": _share(took, 0.99),
        "pages": len(pages),
        "page_p50_seconds": _share(pages, 0.5),
        "page_p99_seconds": _share(pages, 0.99),
        "errors": len(failed),
        "first_error": failed[0] if failed else None,
    }


def _started(opened: ExitStack, said: dict[str, Any]) -> subprocess.Popen[str]:
    client = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    opened.enter_context(client)
    opened.callback(client.kill)
    assert client.stdin is not None
    client.stdin.write(json.dumps(said) + "\n")
    client.stdin.flush()
    return client


def _line(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    return client.stdout.readline().strip()


def _answer(client: subprocess.Popen[str], side: str) -> dict[str, Any]:
    out, err = client.communicate()
    try:
        answer: dict[str, Any] = json.loads(out)
    except json.JSONDecodeError:
        raise TargetError(f"A client of {side} failed: {err[-2000:]}") from None
    return answer


def _error(client: subprocess.Popen[str]) -> str:
    return client.communicate()[1][-2000:]


def _share(took: list[float], share: float) -> float | None:
    """The time within which that share of all was done."""
    return round(sorted(took)[math.ceil(share * len(took)) - 1], 6) if took else None
