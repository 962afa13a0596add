"""The tables of stages that the command line prints."""

from __future__ import annotations

from collections.abc import Sequence

from lib_finisher.finished import StageReport
from lib_finisher.plan.plan import Plan

_REASON_WIDTH = 64


def report_table(reports: Sequence[StageReport]) -> str:
    """The table of what each stage did."""
    rows = [("stage", "status", "size", "seconds", "patches", "calls", "MP-steps", "")]
    for item in reports:
        ran = item.status == "ran"
        rows.append(
            (
                item.label,
                item.status,
                str(item.size),
                f"{item.seconds:.1f}" if ran or item.status == "reused" else "",
                str(item.cost.patches) if item.cost.patches else "",
                str(item.cost.host_calls) if item.cost.host_calls else "",
                f"{item.cost.megapixel_steps:.1f}" if item.cost.megapixel_steps else "",
                item.reason,
            )
        )
    lines = [_table(rows)]
    for item in reports:
        if item.quality is not None:
            lines.append(f"  measured ({item.label.lower()}): {item.quality.told}")
        lines += [f"  note ({item.label.lower()}): {text}" for text in (*item.notes, *item.refusals)]
    return "\n".join(lines)


def plan_table(plan: Plan, seconds: float | None = None) -> str:
    """The table of what each stage would do; `seconds` is how long it is expected to take, if known."""
    rows = [("stage", "runs", "size", "patches", "calls", "MP-steps", "")]
    for step in plan.steps:
        estimate = step.estimate
        counts = (
            (str(estimate.patches), str(estimate.host_calls), f"{estimate.megapixel_steps:.1f}")
            if estimate.patches
            else ("", "", "")
        )
        rows.append((step.label, "yes" if step.runs else "no", str(estimate.size), *counts, step.reason))
    total = plan.total
    rows.append(
        ("in all", "", str(total.size), str(total.patches), str(total.host_calls), f"{total.megapixel_steps:.1f}", "")
    )
    return _table(rows) + ("" if seconds is None else f"\n  about {seconds:.0f} s on this machine")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at >= 2 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row[:-1], widths))
        ]
        reason = row[-1] if len(row[-1]) <= _REASON_WIDTH else row[-1][: _REASON_WIDTH - 1] + "…"
        lines.append(("  " + "  ".join(cells) + "  " + reason).rstrip())
    return "\n".join(lines)
