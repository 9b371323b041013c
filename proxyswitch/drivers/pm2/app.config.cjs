// What PM2 reads at each start and reload: one app, as the person has written it or as PM2 knows it, and over it what this
// release sets. The order comes in the environment, so that no file keeps what an app has in its own.
//
// Run by itself (`node app.config.cjs`) it prints how the app is to run, without its environment.
"use strict";
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");

const order = JSON.parse(process.env.PROXYSWITCH_PM2);
delete process.env.PROXYSWITCH_PM2; // PM2 gives an app the environment of the command that starts it
const KEPT = ["exec_mode", "instances", "wait_ready", "listen_timeout", "kill_timeout", "watch"];
const SHOWN = ["script", "cwd", ...KEPT];

// As PM2 reads it, by the extension of its name.
function parsed(file) {
  if (/\.ya?ml$/.test(file)) return createRequire(fs.realpathSync(order.pm2))("js-yaml").load(fs.readFileSync(file, "utf8"));
  if (/\.json$/.test(file)) return require("vm").runInThisContext(`(${fs.readFileSync(file, "utf8")})`, { displayErrors: false });
  return require(file);
}

function fromFile() {
  const found = parsed(order.file);
  const apps = [found.apps || found.pm2 || found].flat();
  const named = apps.filter((app) => app.name === order.app);
  if (named.length !== 1) {
    const names = apps.map((app) => app.name || "(no name)").join(", ");
    throw new Error(`${named.length || "no"} app${named.length ? "s" : ""} in it with the name ${order.app}; there is ${names}`);
  }
  const more = order.environment ? named[0][`env_${order.environment}`] : {};
  if (!more) throw new Error(`the app ${order.app} has no env_${order.environment}`);
  return { ...named[0], env: { ...named[0].env, ...more } };
}

// The environment goes from PM2 to PM2, and is shown to nobody.
function fromPm2() {
  const options = { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] };
  const listed = require("child_process").execFileSync(order.pm2, ["--silent", "jlist"], options);
  const found = JSON.parse(listed.slice(listed.lastIndexOf("\n") + 1)).find((one) => one.name === order.known);
  if (!found) throw new Error(`PM2 knows no app ${order.known}`);
  const known = found.pm2_env;
  const kept = Object.fromEntries(KEPT.filter((key) => key in known).map((key) => [key, known[key]]));
  const { pm_exec_path: script, pm_cwd: cwd, exec_interpreter: interpreter, args, node_args, env } = known;
  return { ...kept, script, cwd, interpreter, args, node_args, env };
}

// A path below the link, as if the link led elsewhere already.
function through(text) {
  const [link, folder] = order.through || [];
  return link && (text === link || String(text).startsWith(`${link}/`)) ? folder + text.slice(link.length) : text;
}

function app() {
  const known = order.file ? fromFile() : order.known ? fromPm2() : {};
  const made = { ...known, ...order.set, env: { ...known.env, ...order.env } };
  for (const key of order.drop || []) delete made[key];
  made.cwd = through(path.resolve(order.base, made.cwd || ""));
  made.script = through(made.script);
  if (Array.isArray(made.args)) made.args = made.args.map(through);
  return made;
}

if (require.main === module) {
  try {
    const made = app();
    process.stdout.write(JSON.stringify(Object.fromEntries(SHOWN.filter((key) => key in made).map((key) => [key, made[key]]))));
  } catch (error) {
    process.stderr.write(`${error.reason || error.message}`.split("\n")[0]); // further lines may show what is in the file
    process.exitCode = 1;
  }
} else {
  module.exports = { apps: [app()] };
}
