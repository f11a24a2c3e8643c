"""What runs in a besieged machine's network, beside Docker.

usage: servers.py servers            the victim's servers and the attacker's, for ever
       servers.py strangers SECRET   whoever is on the loopback, until standard input ends; prints
                                     whether an open path told the secret
"""

import socket
import sys
import threading
import time
import urllib.request

VICTIMS = b"this is the victim's"
ATTACKERS = b"this is the attacker's"
ROUTE_SERVER = ("127.0.0.1", 7111)
PATHS = ("routes.json", "containers.json", "routes.yaml", "health", "metrics", "ports")


def serve(at, answer):
    listener = socket.create_server(at, backlog=1024)

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def http(body):
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def answer(client):
        request = b""
        try:
            while some := client.recv(65536):
                request += some
                while b"\r\n\r\n" in request:
                    _, request = request.split(b"\r\n\r\n", 1)
                    client.sendall(response)
        except OSError:
            pass
        client.close()

    return answer


def speak_first(client):
    try:
        client.sendall(VICTIMS)
    except OSError:
        pass
    client.close()


def servers():
    serve(("127.0.11.66", 18001), http(VICTIMS))
    serve(("127.0.11.67", 18002), speak_first)
    serve(("127.0.11.2", 18222), http(ATTACKERS))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.11.68", 18003))
    print("ready", flush=True)
    while True:
        _, client = udp.recvfrom(512)
        udp.sendto(VICTIMS, client)


def strangers(secret):
    leaks = []
    held = []

    def hold():
        while len(held) < 900:
            held.append(socket.create_connection(ROUTE_SERVER))

    def read():
        while True:
            for path in PATHS:
                try:
                    url = "http://%s:%d/%s" % (*ROUTE_SERVER, path)
                    with urllib.request.urlopen(url, timeout=5) as response:
                        if path != "routes.yaml" and secret.encode() in response.read():
                            leaks.append(path)
                except OSError:
                    pass
                time.sleep(0.05)

    for work in (hold, read, read, read, read):
        threading.Thread(target=work, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    print("told by", sorted(set(leaks)), flush=True)


if sys.argv[1] == "servers":
    servers()
else:
    strangers(sys.argv[2])
