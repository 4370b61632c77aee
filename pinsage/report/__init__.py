"""The page with pictures: one HTML file on a run, for people.

Artifacts of the earlier stages come in; a page that fetches nothing goes out. Begin with `page.py` and its template
`page.html.j2`; `scores.py` has the table of methods, `charts.py` the geometry of the charts.
"""
