"""The applications under load, as far as Prometheus and the record see them. /metrics has every load of the stage,
and continues where the history ended; /truth returns what each load is this second, as JSON. It keeps a counter's
total while a series is away."""
import http.server
import json
import threading
import time

from harness import loads

start = loads.read("loads")
LOADS = [loads.Load(**fields) for fields in start["loads"]]
total = {load.name(): start["totals"].get(load.name(), 0.0) for load in LOADS}
restarts, last, lock = {}, float(start["end"]), threading.Lock()


def advance():
    """Counts up to now, second by second, since a load may change in between."""
    global last
    with lock:
        now, bent = time.time(), loads.read("bent")
        while last < now:
            step = min(1.0, now - last)
            for load in LOADS:
                if load.counter():
                    total[load.name()] += step * loads.value(load, last, start, bent.get(load.job, {}))
            last += step
        for load in LOADS:
            count = bent.get(load.job, {}).get("restarts", 0)
            if restarts.setdefault(load.name(), 0) != count:
                restarts[load.name()] = count
                total[load.name()] = 0.0


def page():
    advance()
    bent, lines = loads.read("bent"), []
    for load in LOADS:
        mode = bent.get(load.job, {}).get("mode")
        v = total[load.name()] if load.counter() else loads.value(load, time.time(), start, bent.get(load.job, {}))
        if mode != "vanish":
            lines.append(f"{load.name()} {'NaN' if mode == 'nan' else round(v, 3)}")
        if mode == "two":
            lines.append(f'{load.name()[:-1]},shard="b"}} {round(v, 3)}')
    return "\n".join(lines) + "\n"


def truth():
    bent, now = loads.read("bent"), time.time()
    return json.dumps({load.job: loads.value(load, now, start, bent.get(load.job, {})) for load in LOADS})


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = (truth() if self.path == "/truth" else page()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)


def tick():
    while True:
        time.sleep(1)
        advance()


if __name__ == "__main__":
    threading.Thread(target=tick, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", 9500), Handler).serve_forever()
