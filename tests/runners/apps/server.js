// The app of server.py for Node and PM2: the same environment, answers and faults; SIGINT is PM2's way to stop it.
// It tells PM2 `ready` when it listens and is ready; with BROKEN=never-ready it never does.
"use strict";
const http = require("http");

const version = process.env.VERSION || "unknown";
const [broken, seconds] = (process.env.BROKEN || "").split(":");
const faults = ["", "exit", "never-ready", "ready-after", "dies-after", "deaf"];
const idle = 500; // how long (ms) an idle connection may still send a request after the signal
const linger = 500; // how long (ms) a connection may still come that the cluster has handed over: it is handed back
let ready = broken !== "never-ready" && broken !== "ready-after";
let closing = false;

function die(line, status) {
  console.log(line);
  process.exit(status);
}

function answer(response, status, more) {
  const about = { version, slot: process.env.SLOT || "", pid: process.pid, ...more };
  const headers = { "Content-Type": "application/json", "X-Version": version };
  if (closing) headers.Connection = "close";
  response.writeHead(status, headers);
  response.end(JSON.stringify(about) + "\n");
}

function handle(request, response) {
  const url = new URL(request.url, "http://app");
  let bytes = 0;
  request.on("data", (data) => (bytes += data.length));
  request.on("end", () => {
    if (request.method === "POST") return answer(response, 200, { bytes });
    const well = url.pathname !== "/health" || ready;
    const wait = url.pathname === "/slow" ? Number(url.searchParams.get("seconds") || 2) : 0;
    setTimeout(() => answer(response, well ? 200 : 503, { status: well ? "healthy" : "starting" }), wait * 1000);
  });
}

function tell() {
  ready = true;
  if (process.send) process.send("ready");
}

function stop() {
  if (closing) return;
  closing = true;
  server.close(() => setTimeout(() => die("stopped in grace", 0), linger));
  setTimeout(() => server.closeIdleConnections(), idle);
}

if (!faults.includes(broken)) die(`BROKEN=${broken}: unknown`, 2);
if (broken === "exit") die("cannot reach the database: the last line", 3);
const server = http.createServer(handle);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, broken === "deaf" ? () => {} : stop);
server.listen(Number(process.env.PORT || 8000), process.env.HOST || "0.0.0.0", () => {
  console.log(`version ${version} listens on port ${process.env.PORT || 8000}`);
  if (broken === "ready-after") setTimeout(tell, Number(seconds) * 1000);
  else if (ready) tell();
  if (broken === "dies-after") setTimeout(() => die(`died after ${seconds} s: the last line`, 3), Number(seconds) * 1000);
});
