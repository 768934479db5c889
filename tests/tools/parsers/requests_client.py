"""Follows a stream of NDJSON by requests, line by line as Python splits lines."""
import json, sys, time
import requests

session, params = requests.Session(), {}
session.trust_env = False
while True:
    try:
        answer = session.get(sys.argv[1], params=params, stream=True, timeout=10)
        answer.raise_for_status()
        answer.encoding = "utf-8"
        for line in answer.iter_lines(decode_unicode=True):
            said = json.loads(line)
            params = {"since": said["cursor"]}
            if said["type"] == "message":
                print(json.dumps([said["cursor"], said["event"], said["data"]]), flush=True)
            elif said["type"] == "gap":
                print(json.dumps([said["cursor"], "gap", line]), flush=True)
    except requests.RequestException:
        time.sleep(0.2)
