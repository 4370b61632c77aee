"""Releases: all that a serving team takes, in one folder per version, and the pointer to the current one.

Published artifacts of a run come in; `releases/<version>/` and `CURRENT` go out, and answers for those who query them.
Begin with `contents.py` (what is in a release) and `releases.py` (how it is published and taken back); `release.py` and
`current.py` read it, and `consumer.py` travels with each release.
"""
