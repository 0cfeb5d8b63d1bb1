"""HTTP servers for tests, on loopback, on ports that the kernel chooses, without privileges.

    with Misbehaving() as s:            # a server that does what the path asks for
        s.files["a.tar.gz"] = data
        s.url("a.tar.gz", truncate=100) # see the table below
        s.requests                      # [(path, {header: value}), ...] so far
        s.faults["a.tar.gz"] = {"stall": 9} # the same without a query: for whoever builds URLs itself
    with Nginx(directory) as s:         # the real thing, serving a directory
        s.url("a.tar.gz")

What a URL's query asks of Misbehaving (n: bytes):
    truncate=n    promises all, gives n, closes (each time, or times=k times)
    stall=n       gives n, then nothing for as long as the client stays
    wrong=1       other bytes of the same length
    longer=n      n bytes more than there should be (and promised)
    change=n      the first try gives n bytes and closes; after that the file (and its ETag) has other contents behind byte n
    status=code   answers so (times=k: only the first k times)
    norange=1     ignores Range; lie=1: answers 206 with the wrong offset
    slow=ms       waits before it answers
    noetag=1      gives no ETag
"""
import hashlib, http.client, http.server, os, shutil, socket, socketserver, subprocess, tempfile, threading, time, urllib.parse

class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def asked(self):
        parts = urllib.parse.urlsplit(self.path)
        name = urllib.parse.unquote(parts.path.lstrip("/"))
        return name, {**self.server.faults.get(name, {}), **dict(urllib.parse.parse_qsl(parts.query))}

    def first_times(self, key, ask):
        """True while this fault is to be shown: times=k shows it to the first k requests only."""
        with self.server.lock:
            n = self.server.counts[key] = self.server.counts.get(key, 0) + 1
        return "times" not in ask or n <= int(ask["times"])

    def range_start(self, size, etag):
        text = self.headers.get("Range", "")
        if not text.startswith("bytes=") or "," in text:
            return 0
        if self.headers.get("If-Range") not in (None, etag):
            return 0
        start = text[6:].split("-")[0]
        return int(start) if start.isdigit() and int(start) < size else 0

    def do_GET(self):
        name, ask = self.asked()
        with self.server.lock:
            self.server.requests.append((self.path, dict(self.headers)))
        if "slow" in ask:
            time.sleep(int(ask["slow"]) / 1000)
        if "status" in ask and self.first_times(self.path, ask):
            return self.send_error(int(ask["status"]))
        data = self.server.files.get(name)
        if data is None:
            return self.send_error(404)
        faulty = self.first_times(self.path, ask) if {"truncate", "change"} & set(ask) else True
        if "change" in ask and self.server.counts[self.path] > 1:
            n = int(ask["change"])
            data = data[:n] + bytes(b ^ 0xff for b in data[n:])
        if "wrong" in ask:
            data = bytes(b ^ 0x55 for b in data)
        if "longer" in ask:
            data += b"x" * int(ask["longer"])
        etag = '"%s"' % hashlib.sha256(data).hexdigest()[:16]
        start = 0 if "norange" in ask else self.range_start(len(data), None if "noetag" in ask else etag)
        self.answer(data, start, etag, ask, faulty)

    def answer(self, data, start, etag, ask, faulty):
        partial = start > 0
        self.send_response(206 if partial else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "none" if "norange" in ask else "bytes")
        if partial:
            shown = start + 1 if "lie" in ask else start
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        if "noetag" not in ask:
            self.send_header("ETag", etag)
        self.end_headers()
        body = data[start:]
        if "truncate" in ask and faulty:
            body, self.close_connection = body[:int(ask["truncate"])], True
        if "change" in ask and self.server.counts[self.path] == 1:
            body, self.close_connection = body[:int(ask["change"])], True
        if "stall" in ask:
            self.wfile.write(body[:int(ask["stall"])])
            self.wfile.flush()
            self.server.ended.wait(60)
            self.close_connection = True
            return
        self.wfile.write(body)

class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass  # clients go away: that is what the tests are about

class Misbehaving:
    def __init__(self):
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.files, self.server.requests, self.server.counts, self.server.faults = {}, [], {}, {}
        self.server.lock, self.server.ended = threading.Lock(), threading.Event()
        self.files, self.requests, self.faults = self.server.files, self.server.requests, self.server.faults
        self.port = self.server.server_address[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def url(self, name, **ask):
        query = urllib.parse.urlencode(ask)
        return f"http://127.0.0.1:{self.port}/{name}" + ("?" + query if query else "")

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONF = """
daemon off; master_process off; pid {run}/pid; error_log {run}/error.log warn; {user}
events {{ worker_connections 256; }}
http {{
  access_log {run}/access.log; default_type application/octet-stream; server_tokens off;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi; uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; {rate} autoindex off; {more} }}
}}
"""

class Nginx:
    """nginx in the foreground as the user who runs the test. rate: bytes a second for each connection; more: lines for the server block."""
    def __init__(self, root, rate=0, more=""):
        if not NGINX:
            raise FileNotFoundError("nginx is not installed")
        self.root, self.rate, self.more, self.markers = os.path.abspath(root), rate, more, 0

    def start(self):
        # The kernel chooses the port; somebody may take it before nginx does, so there are a few tries.
        for _ in range(10):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            conf = os.path.join(self.run, "nginx.conf")
            with open(conf, "w") as f:
                f.write(_CONF.format(run=self.run, port=self.port, root=self.root, more=self.more, rate=f"limit_rate {self.rate};" if self.rate else "",
                                     user="user root;" if os.geteuid() == 0 else ""))
            self.process = subprocess.Popen([NGINX, "-p", self.run, "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(500):
                if self.process.poll() is not None:
                    break
                try:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return
                except OSError:
                    time.sleep(0.01)
            self.stop()
        raise RuntimeError("nginx does not start: " + self.errors())

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def errors(self):
        try:
            with open(os.path.join(self.run, "error.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def access(self):
        """Lines of the access log. nginx writes a line when it is done with a request, which may be after the client has its answer: a request of ours, whose line comes last, says when all are there."""
        self.markers += 1
        marker = f"/.marker-{self.markers}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", marker)
        connection.getresponse().read()
        connection.close()
        for _ in range(1000):
            with open(os.path.join(self.run, "access.log")) as f:
                lines = f.read().splitlines()
            if any(marker + " " in line for line in lines):
                return [line for line in lines if "/.marker-" not in line]
            time.sleep(0.01)
        raise RuntimeError("nginx does not write its log")

    def __enter__(self):
        self.run = tempfile.mkdtemp(prefix="ashlar-nginx-")
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.run, ignore_errors=True)

    def url(self, name=""):
        return f"http://127.0.0.1:{self.port}/{name}"
