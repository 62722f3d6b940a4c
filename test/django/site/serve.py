"""Serve the site on a free port: says `listening PORT`, keeps connections alive, ends when its standard input ends."""

import os
import sys
import threading
from socketserver import ThreadingMixIn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(WSGIRequestHandler):
    # Headers and body leave in two writes: without this, Nagle's algorithm costs 40 ms an answer.
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        pass


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


server = Server(("127.0.0.1", 0), Handler)
server.set_app(get_wsgi_application())
print("listening", server.server_port, flush=True)
threading.Thread(target=end_with_parent, daemon=True).start()
server.serve_forever()
