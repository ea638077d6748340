"""The judge itself: each kind of loss and invention is noticed, the smallest of them too."""

from __future__ import annotations

from pathlib import Path

import psycopg

from engines import Native
from proof.accounts import account
from proof.moving import Moving
from proof.targets import Databases
from proof.values import Contents

# What is done to the target, what undoes it, and what has to be said.
WRONGS = (
    (
        "UPDATE ohlcv_data SET open = '-0' WHERE id = 3",
        "UPDATE ohlcv_data SET open = 0 WHERE id = 3",
        "alone",
    ),
    (
        "UPDATE ga_experiments SET progress = 0.30000000000000004 WHERE id = 2",
        "UPDATE ga_experiments SET progress = 0.3 WHERE id = 2",
        "not in the target",
    ),
    (
        "UPDATE data_collection_log SET start_time = start_time + interval '1 microsecond' WHERE id = 1",
        "UPDATE data_collection_log SET start_time = start_time - interval '1 microsecond' WHERE id = 1",
        "alone",
    ),
    (
        "UPDATE strategy_templates SET is_public = NULL WHERE id = 1",
        "UPDATE strategy_templates SET is_public = false WHERE id = 1",
        "alone",
    ),
    (
        """UPDATE strategy_templates SET config_json = '{"at": true}' WHERE id = 2""",
        """UPDATE strategy_templates SET config_json = '{"at": 1}' WHERE id = 2""",
        "alone",
    ),
    (
        "INSERT INTO data_collection_log SELECT 99, symbol, timeframe, start_time, end_time,"
        " records_collected, status, error_message, created_at FROM data_collection_log WHERE id = 1",
        "DELETE FROM data_collection_log WHERE id = 99",
        "rows in",
    ),
)


def test_the_judge_notices_each_wrong(native: Native, tmp_path: Path) -> None:
    held = Contents(
        typed=True,
        alterations=[
            ("ohlcv_data", 2, "open", 0.0),
            ("ohlcv_data", 4, "close", "text"),
            ("ga_experiments", 1, "progress", 0.3),
            ("strategy_templates", 5, "config_json", '{"a": [NaN]}'),
        ],
    )
    with Databases(native).new() as target, target.served() as conninfo:
        moving = Moving(target, conninfo, tmp_path)
        found = moving.move(held)
        assert (found.rejected, found.changed) == (1, 1)
        with psycopg.connect(conninfo, autocommit=True) as server:
            for wrong, undone, said in WRONGS:
                server.execute(wrong.encode())
                _notices(moving, said)
                server.execute(undone.encode())
                moving.accounted()
        for file, right, wrong, said in (
            (moving.rejects, '"text"', '"Text"', "its line has"),
            (moving.rejects, '"row": 5', '"row": 4', "is rejected and would fit"),
            (moving.rejects, '"column": "close"', '"column": "open"', "no reason tells of"),
            (moving.changes, '"$.a[0]"', '"$.a[1]"', "changed and not listed"),
        ):
            text = file.read_text()
            assert right in text
            file.write_text(text.replace(right, wrong))
            _notices(moving, said)
            file.write_text(text)
        moving.rejects.unlink()
        _notices(moving, "6 rows in, 5 moved, 0 rejected")


def _notices(moving: Moving, said: str) -> None:
    problems = account(moving.file, moving.conninfo, rejects=moving.rejects, changes=moving.changes).problems
    assert any(said in problem for problem in problems), (said, problems)
