"""The pages of a run, for people: the report, the comparison of variants, and the neighbor explorer.

Artifacts of the earlier stages come in; pages that fetch nothing go out. Begin with `page.py` and its template
`page.html.j2`; `scores.py` has the table of methods, `charts.py` the geometry of the charts, `explorer/` the explorer.
"""
