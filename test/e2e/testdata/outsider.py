"""What kazoo, a client of ZooKeeper that has nothing to do with Nodee, sees of a cell.

    outsider.py SERVERS read PATH...        prints {path: {"owner", "texts"}}: the session that each
                                         ends with, and its JSON values, one after the other
    outsider.py SERVERS poll PARENT PATH... prints "ready", polls every 2 ms whether each of the
                                         paths is there, those below PARENT by its children,
                                         until standard input ends, and prints {"polls", "gone"}
"""
import json
import sys
import threading
import time

from kazoo.client import KazooClient


def values(text):
    found, decoder, at = [], json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def read(client, paths):
    out = {}
    for path in paths:
        data, stat = client.get(path)
        out[path] = {"owner": stat.ephemeralOwner, "texts": values(data.decode("utf-8"))}
    return out


def poll(client, parent, paths):
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    polls, gone = 0, []
    print("ready", flush=True)
    while not ended.is_set():
        children = client.get_children(parent)
        for path in paths:
            above, _, name = path.rpartition("/")
            if name not in children if above == parent else client.exists(path) is None:
                gone.append([polls, path])
        polls += 1
        time.sleep(0.002)
    return {"polls": polls, "gone": gone[:10]}


def main():
    servers, do, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    client = KazooClient(hosts=servers, timeout=30)
    client.start(timeout=30)
    print(json.dumps(read(client, paths) if do == "read" else poll(client, paths[0], paths[1:])))
    client.stop()


main()
