"""`python tests/seconds_by_folder.py var/junit.xml`: seconds and number of the tests in each folder, the slowest first.

The file is what `PYTEST_ADDOPTS=--junitxml=var/junit.xml make test` leaves; seconds of all processes are added up.
"""

import sys
import xml.etree.ElementTree as ET
from collections import Counter

seconds: Counter[str] = Counter()
tests: Counter[str] = Counter()
for case in ET.parse(sys.argv[1]).iter("testcase"):  # noqa: S314 - pytest's own file
    folder = case.attrib["classname"].rpartition(".")[0].replace(".", "/") or case.attrib["classname"]
    seconds[folder] += float(case.attrib["time"])
    tests[folder] += 1
for folder, total in seconds.most_common():
    print(f"{total:8.1f} s  {tests[folder]:5}  {folder}")  # noqa: T201 - the answer
