"""The application without screens."""

import threading
import time

from flask import Flask

from appliance import app


def test_threads_that_begin_together_make_their_applications_one_after_the_other(monkeypatch):
    """USR-36: the listening process makes one per thread. Its rules are made by `ast`, which two threads of Python 3.11 may not use at once; a thread
    that died of it banned nobody, and nobody knew."""
    inside, most = [], []

    class Slow(Flask):
        def __init__(self, *words, **named):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            super().__init__(*words, **named)
            inside.pop()

    monkeypatch.setattr(app, "Flask", Slow)
    threads = [threading.Thread(target=app.bare_app) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most == [1, 1, 1, 1]
