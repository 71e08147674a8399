# include: honest
# include: tally
import socket
import urllib.request

tally.attempt("metadata")(lambda: urllib.request.urlopen("http://169.254.169.254/latest/meta-data/", timeout=0.3))
tally.attempt("socket")(lambda: socket.create_connection(("169.254.169.254", 80), 0.3))
tally.attempt("name")(lambda: socket.getaddrinfo("localhost.invalid", 80))
tally.report()
