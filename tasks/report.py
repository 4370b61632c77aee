"""Write the page with pictures."""

from pinsage.report.page import gather_page, render
from pinsage.store.manifest import Facts
from tasks.running.work import StageWork
from tasks.stages import STAGES


def report(work: StageWork) -> Facts:
    """Publish `report.html`.

    Returns:
        The number of query rows, of pictures shown and of pictures that could not be shown, and the page's size.
    """
    inputs = {stage: work.inputs[stage] for stage in STAGES["report"].inputs}
    page = gather_page(inputs, work.settings.report)
    path = work.out / "report.html"
    path.write_text(render(page), encoding="utf-8")
    return {
        "query_rows": len(page.study.rows),
        "pictures": page.study.num_pictures,
        "pictures_unreadable": page.study.num_unreadable,
        "size_mb": round(path.stat().st_size / 1e6, 3),
    }
