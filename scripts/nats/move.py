"""Shows a stream that moves: it is read at one server, which is killed, and goes on at another.

Usage: move.py URL-OF-THE-ONE URL-OF-THE-OTHER PID-OF-THE-ONE
"""
import json
import os
import signal
import sys
import threading
import time
import urllib.request

ONE, OTHER, PID = sys.argv[1], sys.argv[2], int(sys.argv[3])
COUNT, KILLED_AT = 300, 100
MESSAGES = [f"message {n}" for n in range(COUNT)]


def publish():
    """Appends all messages at the other server, each with a key, so that a second try appends nothing."""
    for text in MESSAGES:
        request = urllib.request.Request(
            f"{OTHER}/c/move", text.encode(), {"Idempotency-Key": f"{os.getpid()}-{text}"}
        )
        while True:
            try:
                urllib.request.urlopen(request, timeout=30).close()
                break
            except OSError as error:
                print(f"  (a try again: {error})")
                time.sleep(0.3)


def follow(url, since):
    """Reads the stream from a cursor on: its messages, each with its cursor."""
    query = f"as=ndjson&since={since}&heartbeat=1s"
    with urllib.request.urlopen(f"{url}/c/move?{query}", timeout=30) as answer:
        for line in answer:
            item = json.loads(line)
            if item["type"] == "gap":
                sys.exit(f"a gap: {item}")
            if item["type"] == "message":
                yield item["data"], item["cursor"]


threading.Thread(target=publish, daemon=True).start()
seen, cursor, servers = [], "all", [ONE, OTHER]
while len(seen) < COUNT:
    url = servers[0]
    print(f"following {url} from {cursor}")
    try:
        for text, cursor in follow(url, cursor):
            seen.append(text)
            if len(seen) == KILLED_AT:
                print(f"killing that server, which has given {cursor}")
                os.kill(PID, signal.SIGKILL)
            if len(seen) == COUNT:
                break
    except (OSError, ValueError) as error:
        print(f"the stream broke: {error!r}")
    servers.reverse()
if seen != MESSAGES:
    sys.exit("messages are missing, doubled or in another order")
print(f"all {COUNT} messages came, each once and in order, from two servers")
