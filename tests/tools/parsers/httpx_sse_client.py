"""Follows an event stream by httpx-sse, which leaves it to its user to come back."""
import json, sys, time
import httpx
from httpx_sse import connect_sse

last, retry = "", 1000
with httpx.Client(trust_env=False) as client:
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
                for event in source.iter_sse():
                    last = event.id or last
                    retry = event.retry or retry
                    print(json.dumps([event.id, event.event, event.data]), flush=True)
        except httpx.HTTPError:
            pass
        time.sleep(retry / 1000)
