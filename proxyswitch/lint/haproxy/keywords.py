"""The keywords of HAProxy 1.8 to 3.4, and where they may stand.

From the configuration manuals, chapter 3 and section 4.1 ("Proxy keywords matrix"), and from what HAProxy 2.6 says of each.
What a version in between dropped (`block`, `reqrep`) is known all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.haproxy.config import SERVERS, Config, Row


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROXY = _words(
    "acl appsession backlog balance bind bind-process block capture clitcpka-cnt clitcpka-idle clitcpka-intvl cliexp"
    " clitimeout compression contimeout cookie declare default-server default_backend description disabled dispatch"
    " dynamic-cookie-key email-alert enabled error-log-format errorfile errorfiles errorloc errorloc302 errorloc303"
    " external-check filter filter-sequence force-be-switch force-persist fullconn grace guid hash-balance-factor"
    " hash-preserve-affinity hash-type http-after-response http-check http-error http-request http-response http-reuse"
    " http-send-name-header id ignore-persist load-server-state-from-file log log-format log-format-sd log-steps"
    " log-tag max-keep-alive-queue max-session-srv-conns maxconn mode monitor monitor-net monitor-uri option persist"
    " quic-initial rate-limit redirect redisp redispatch reqadd reqallow reqdel reqdeny reqiallow reqidel reqideny"
    " reqipass reqirep reqisetbe reqitarpit reqpass reqrep reqsetbe reqtarpit retries retry-on rspadd rspdel rspdeny"
    " rspidel rspideny rspirep rsprep server server-state-file-name server-template source srvexp srvtcpka-cnt"
    " srvtcpka-idle srvtcpka-intvl srvtimeout ssl-f-use stats stick stick-table tcp-check tcp-request tcp-response"
    " timeout transparent unique-id-format unique-id-header use-fcgi-app use-server use_backend usesrc"
)
# without the families of TUNES, where one name differs from the next by a letter
GLOBAL = _words(
    "anonkey busy-polling ca-base chroot close-spread-time cluster-secret cpu-affinity cpu-map cpu-policy cpu-set"
    " crt-base daemon debug default-path description deviceatlas-json-file deviceatlas-log-level"
    " deviceatlas-properties-cookie deviceatlas-separator dns-accept-family expose-deprecated-directives"
    " expose-experimental-directives external-check fd-hard-limit force-cfg-parser-pause gid grace group"
    " h1-accept-payload-with-any-method h1-case-adjust h1-case-adjust-file"
    " h1-do-not-close-on-insecure-transfer-encoding h2-workaround-bogus-websocket-clients hard-stop-after"
    " http-err-codes http-fail-codes insecure-fork-wanted insecure-setuid-wanted issuers-chain-path key-base"
    " limited-quic localpeer log log-send-hostname log-tag lua-load lua-load-per-thread lua-prepend-path master-worker"
    " max-spread-checks max-threads-per-group maxcompcpuusage maxcomprate maxconn maxconnrate maxpipes maxsessrate"
    " maxsslconn maxsslrate maxzlibmem module-load module-path mworker-max-reloads nbproc nbthread no-memory-trimming"
    " no-quic node noepoll noevports nogetaddrinfo nokqueue noktls nopoll noreuseport nosplice numa-cpu-mapping"
    " pidfile pp2-never-send-local prealloc-fd presetenv quiet resetenv server-state-base server-state-file"
    " set-dumpable set-var set-var-fmt setcap setenv shm-stats-file shm-stats-file-max-objects spread-checks"
    " ssl-default-bind-ciphers ssl-default-bind-ciphersuites ssl-default-bind-client-sigalgs ssl-default-bind-curves"
    " ssl-default-bind-options ssl-default-bind-sigalgs ssl-default-server-ciphers ssl-default-server-ciphersuites"
    " ssl-default-server-client-sigalgs ssl-default-server-curves ssl-default-server-options"
    " ssl-default-server-sigalgs ssl-dh-param-file ssl-engine ssl-load-extra-del-ext ssl-load-extra-files"
    " ssl-mode-async ssl-passphrase-cmd ssl-propquery ssl-provider ssl-provider-path ssl-security-level"
    " ssl-server-verify ssl-skip-self-issued-ca stats stats-file stress-level strict-limits thread-group thread-groups"
    " thread-hard-limit trace uid ulimit-n unix-bind unsetenv user warn-blocked-traffic-after zero-warning"
)
TUNES = ("51degrees-", "acme.", "debug.", "harden.", "httpclient.", "jwt.", "ocsp-update.", "profiling.", "tune.", "wurfl-")
# What HAProxy refuses in a kind of section, in every version. `anonymous` is a `defaults` without a name.
_NO_DEFAULTS = (
    "bind description dispatch force-persist id ignore-persist monitor redirect server server-template stick stick-table"
    " use-fcgi-app use-server use_backend"
)
REFUSED = {
    "frontend": _words("default-server retry-on server server-template tcp-response use-fcgi-app"),
    "backend": frozenset(["declare"]),
    "listen": frozenset[str](),
    "defaults": _words(_NO_DEFAULTS),
    "anonymous": _words(f"{_NO_DEFAULTS} acl http-after-response http-request http-response tcp-request tcp-response"),
}
# What it warns of, and ignores.
IGNORED = {
    "frontend": _words(
        "balance cookie dispatch dynamic-cookie-key fullconn hash-type http-check http-reuse"
        " http-send-name-header load-server-state-from-file max-keep-alive-queue retries"
        " server-state-file-name source srvtcpka-cnt srvtcpka-idle srvtcpka-intvl stick tcp-check use-server"
    ),
    "backend": _words(
        "backlog bind capture clitcpka-cnt clitcpka-idle clitcpka-intvl default_backend error-log-format log-format"
        " log-format-sd max-session-srv-conns maxconn monitor monitor-uri rate-limit use_backend"
    ),
}
_PREFIXES = ("no", "default")


def lines(config: Config) -> list[tuple[str, str, Row]]:
    """Every line of the global and proxy sections that is certain: the kind of its section, its keyword, the line. Without
    server lines where they may stand: they are the most."""
    return config.once(_lines)


def _lines(config: Config) -> list[tuple[str, str, Row]]:
    return list(_certain(config))


def _certain(config: Config) -> Iterator[tuple[str, str, Row]]:
    for head, rows in config.sections(b"global", b"defaults", b"frontend", b"backend", b"listen"):
        kind = kind_of(head)
        plain = SERVERS if kind in ("backend", "listen") else ()
        for row in (row for row in rows if row.keyword not in plain):
            word = row.keyword.decode("utf-8", "replace")
            if word in _PREFIXES:
                word = [*row.words, ""][1]
            if row.sure and word and "$" not in word:
                yield kind, word, row


def kind_of(head: Row) -> str:
    """What kind of section it is, a `defaults` without a name being `anonymous`."""
    name = [*head.words, ""][1]
    return "anonymous" if head.keyword == b"defaults" and name in ("", "from") else head.keyword.decode()


def known(word: str, kind: str) -> bool:
    """Whether some version knows it in such a section."""
    return (word in GLOBAL or word.startswith(TUNES)) if kind == "global" else word in PROXY


def allowed(kind: str) -> frozenset[str]:
    """What may stand in such a section."""
    return GLOBAL if kind == "global" else PROXY - REFUSED[kind]
