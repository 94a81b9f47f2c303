import socket
import sys

with socket.socket(socket.AF_UNIX) as link:
    link.settimeout(8)
    link.connect(sys.argv[1])
    link.sendall(b"GET /status HTTP/1.1\r\nhost: process\r\nconnection: close\r\n\r\n")
    sys.exit(b" 200 " not in link.recv(64))
