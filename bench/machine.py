"""What the measurements were made on: no names, no places."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers import PACKAGES, PEERS, brms, versions


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(PACKAGES + PEERS),
        "brms": brms(),
    }


def now() -> dict[str, Any]:
    """When, and how busy the machine was before."""
    return {"date": datetime.now(UTC).date().isoformat(), "load": os.getloadavg()[0]}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or "unknown processor"


def told(about: dict[str, Any], when: dict[str, Any]) -> list[str]:
    """The machine in a paragraph, with the load that was there before anything was measured."""
    packages = ", ".join(
        f"{name} {found}" if found else f"{name} not installed"
        for name, found in about["packages"].items()
    )
    busy = when["load"] > 0.5
    return [
        f"{about['processor']}, {about['cores']} cores, {about['memory']:.0f} GiB of memory, "
        f"{about['system']}, Python {about['python']}; {packages}; "
        f"brms {about['brms'] or 'not installed'}.",
        "",
        f"Measured on {when['date']}; load of the machine before: {when['load']:.1f}"
        + (" (**not idle: times of the clock are those of a busy machine**)." if busy else "."),
        "",
    ]
