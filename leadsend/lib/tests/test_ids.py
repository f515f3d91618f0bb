from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from leadsend.lib import ids

RUN = UUID("01890000-0000-7000-8000-000000000001")
_FORKED = """
import os
from leadsend.lib.ids import uuid7
uuid7()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, uuid7(1).bytes)
    os._exit(0)
os.wait()
print(os.read(read, 16) != uuid7(1).bytes)
"""


def test_random_ids_never_come_twice_also_from_many_threads():
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: ids.uuid7(1), range(3000)))

    assert len(set(made)) == 3000
    assert {identifier.version for identifier in made} == {7}


def test_a_forked_process_makes_other_ids():
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _FORKED], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "True"


def test_each_item_of_a_loop_has_a_row_and_a_key_of_its_own():
    items = (None, "0", "1", "10", "1.0", "1.0.0")

    assert len({ids.step_row_id(RUN, "s", item, 1) for item in items}) == len(items)
    assert len({ids.idempotency_key(RUN, "s", item) for item in items}) == len(items)


def test_ids_outside_loops_are_what_they_always_were():
    row, key = ids.step_row_id(RUN, "s", None, 1), ids.idempotency_key(RUN, "s")

    assert (str(row), str(key)) == (
        "01890000-0000-74de-a1da-172584f8b866",
        "d3c1d3e7-158d-57a0-8070-6d3d548998fb",
    )
