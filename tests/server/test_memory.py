"""What large answers took goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORK = """
import sys, threading
import numpy as np, psutil
from bi2scope.server.memory import give_memory_back

give_memory_back()

def work(seed):
    rng, kept = np.random.default_rng(seed), []
    for _ in range(20):
        kept.append(rng.random(int(rng.integers(1 << 19, 1 << 21))))
        if len(kept) > 6:
            del kept[::2]

process = psutil.Process()
work(0)
before = process.memory_info().rss
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print((process.memory_info().rss - before) / 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be told so")
def test_what_threads_have_freed_is_not_kept() -> None:
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 24  # mebibytes, of some hundred that were in use at once
