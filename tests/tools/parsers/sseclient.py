import json, sys, urllib.request
from sseclient import SSEClient

# No proxy, whatever the machine uses.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for event in SSEClient(opener.open(sys.argv[1])).events():
    print(json.dumps([event.id, event.event, event.data]))
