"""A server as a process of its own: asks the current release without a pause, and says when it serves another one.

python ask_releases.py HOME EVERY_S

Every answer is checked against an exact scan of the embeddings of the version that it names. Ends when its input is
closed, with the number of answers and of those that were wrong.
"""

import functools
import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
from release_world import NUM_PINS, vectors

from pinsage.release.current import CurrentRelease
from pinsage.store.deployment import Store


@functools.cache
def expected(number, pin):
    """The five best pins of a model version."""
    embeddings, popularity = vectors(number)
    scores = embeddings @ embeddings[pin] + popularity
    scores[pin] = -np.inf
    return [f"pin-{other:05d}" for other in np.argsort(-scores)[:5]]


def say(**words):
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main(home, every_s):
    current, rng = CurrentRelease(Store(Path(home), home), every_s=float(every_s)), np.random.default_rng()
    closed = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    answers = wrong = 0
    serving = ""
    while not closed.is_set():
        pin = int(rng.integers(NUM_PINS))
        answer = current.release().related(f"pin-{pin:05d}", 5)
        if answer.version != serving:
            serving = answer.version
            say(serving=serving, at=time.time())
        answers += 1
        wrong += answer.pin_ids != expected(int(serving.split("-")[1][1:]), pin)
    say(answers=answers, wrong=wrong)


if __name__ == "__main__":
    main(*sys.argv[1:])
