"""The bipartite graph of pins and boards, in compressed sparse rows both ways.

Training saves come in, with weights and sessions where settings ask for them; memory-mapped arrays go out. Begin with
`csr.py`, then read `build.py`.
"""
