"""The neighbor explorer: one HTML file that says for every pin what a new model changed in its related pins.

The artifacts of a run and the release that it would replace come in; a page that fetches nothing goes out. Begin with
`page.py`; `lists.py` asks both models, `agreement.py` compares the answers, `pin_map.py` lays out the embeddings, and
`explorer.js` is the page's own program.
"""
