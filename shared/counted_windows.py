"""The window that each repository of a board was counted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from shared.context import Services
from shared.models import WINDOW_DAYS, Window, parse_time, published_windows
from shared.tables import Dataset


def counted_windows(
    services: Services, repo_ids: Sequence[int], window: Window
) -> Mapping[Window, Sequence[int]]:
    """Repositories by the span that a board's window means for them.

    A published window counts back from each repository's own as-of time, which differs where they
    were scraped at different states of what was captured; any other window is the same for all.
    """
    if window.name not in WINDOW_DAYS:
        return {window: sorted(repo_ids)}
    as_of = {
        int(str(unit.about["repo_id"])): parse_time(str(unit.about["as_of"]))
        for unit in services.warehouse.units(Dataset.STANDINGS)
    }
    by_window: dict[Window, list[int]] = defaultdict(list)
    for repo_id in sorted(repo_ids):
        own = published_windows(as_of.get(repo_id, window.end))
        by_window[next(w for w in own if w.name == window.name)].append(repo_id)
    return by_window
