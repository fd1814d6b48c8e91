"""pycrowdsec as it runs by itself, in a process of its own: its thread never ends. Prints what it holds."""

import sys
import time

from pycrowdsec.client import StreamClient

if __name__ == "__main__":
    SECRET, URL = sys.argv[1:]
    CLIENT = StreamClient(SECRET, URL, interval=1, scopes=("client_id",))
    CLIENT.run()
    SHOWN = None
    while True:
        HELD = CLIENT.get_current_decisions()
        if SHOWN != HELD:
            SHOWN = dict(HELD)
            print(SHOWN, flush=True)  # noqa: T201  # what the test reads
        time.sleep(0.05)
