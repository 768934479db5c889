#!/usr/bin/env python3
"""Follows a channel and goes on where it was, also after a break: follow.py URL [FILE]

URL is that of a channel, such as http://127.0.0.1:8080/c/build; FILE keeps the cursor. Python 3.9 or later.
"""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request


def follow(url, cursor, save):
    """Yields (channel, event, data) of each message after the cursor, for ever or until the channel is closed."""
    pause = 1
    while True:
        request = urllib.request.Request(url, headers={"Accept": "application/x-ndjson"})
        if cursor:
            request.add_header("Last-Event-ID", cursor)
        try:
            # A heartbeat comes every 15 s, so silence means that the connection is gone.
            with urllib.request.urlopen(request, timeout=40) as stream:
                for line in stream:
                    said = json.loads(line)
                    if said["type"] == "message":
                        yield said["channel"], said["event"], said["data"]
                    elif said["type"] == "gap":
                        print("messages are missing:", said["reason"], file=sys.stderr)
                    elif said["type"] == "end" and said["reason"] == "closed":
                        return
                    # When the message has been dealt with: what is interrupted comes once more.
                    cursor, pause = said["cursor"], 1
                    save(cursor)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            print("the connection broke:", error, file=sys.stderr)
        time.sleep(pause)
        pause = min(2 * pause, 30)


if __name__ == "__main__":
    file = sys.argv[2] if len(sys.argv) > 2 else "cursor"
    try:
        begin = open(file).read().strip()
    except FileNotFoundError:
        begin = ""
    for _, _, text in follow(sys.argv[1], begin, lambda cursor: open(file, "w").write(cursor)):
        print(text, flush=True)
