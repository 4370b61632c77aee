"""Write the page with pictures, and the explorer of what changed for each pin."""

from pathlib import Path

from pinsage.release.releases import Releases
from pinsage.report.explorer.lists import Champion
from pinsage.report.explorer.page import gather_explorer, render_explorer
from pinsage.report.page import gather_page, render
from pinsage.store.deployment import open_store
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork
from tasks.stages import STAGES


def report(work: StageWork) -> Facts:
    """Publish `report.html` and `explorer.html`.

    Returns:
        The number of query rows, of pictures shown and of pictures that could not be shown, and the page's size; the
        same of the explorer (see `Explorer.facts`).
    """
    inputs = {stage: work.inputs[stage] for stage in STAGES["report"].inputs}
    page = gather_page(inputs, work.settings.report)
    explorer = gather_explorer(inputs, _champion(work), work.settings.report)
    return {
        "query_rows": len(page.study.rows),
        "pictures": page.study.num_pictures,
        "pictures_unreadable": page.study.num_unreadable,
        "size_mb": _write(work.out / "report.html", render(page)),
        **explorer.facts,
        "explorer_mb": _write(work.out / "explorer.html", render_explorer(explorer)),
    }


def _champion(work: StageWork) -> Champion | None:
    """The release that the key of the artifact names."""
    version = str(work.identity.get("champion") or "")
    return Champion.open(version, Releases(open_store(work.home)).folder(version)) if version else None


def _write(path: Path, html: str) -> float:
    """Write a page; its size in MB."""
    path.write_text(html, encoding="utf-8")
    return round(path.stat().st_size / 1e6, 3)
