"""Run benchmarks and write ``build/bench/NAME.json``: ``python tests/benchmarks/run.py [NAME ...]``.

Each benchmark is a module of this folder with ``main() -> (ratios, figures)``: ratios are taken within the one run,
against the dense twin or a measured floor; figures carry their unit in their name.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "build" / "bench"


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem != Path(__file__).stem)


def machine() -> dict[str, str | int | float]:
    packages = ("torch", "torch-geometric", "numpy", "h5py", "anndata", "fastapi", "dash")
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def run(name: str) -> None:
    specification = importlib.util.spec_from_file_location(f"benchmark_{name}", HERE / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    before = machine()
    ratios, figures = module.main()
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {"name": name, "ratios": ratios, "figures": figures, "machine": before}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{name}  ({RESULTS.name}/{name}.json)")
    for kind, values in (("ratio", ratios), ("figure", figures)):
        for key, value in values.items():
            print(
                f"  {kind:6}  {key:45} {value:>12.4g}" if isinstance(value, float) else f"  {kind:6}  {key:45} {value}"
            )


def main(arguments: list[str]) -> int:
    known = names()
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        print(f"error: no benchmark named {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(HERE.parent / "helpers"))
    for name in arguments or known:
        run(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
