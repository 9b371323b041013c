"""nginx tests what was made for it: with the whole config that will include it, else alone in a config of ours."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from proxyswitch.conf.nginx import adopt_shared, chain
from proxyswitch.conf.nginx.chain import Config, Names
from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies import nginx_find, nginx_master, nginx_stage
from proxyswitch.proxies.base import Options
from proxyswitch.proxies.nginx_master import Arguments
from proxyswitch.system import files, run

TIMEOUT = 60.0
# What stands around a file that is tested alone: {file} is its include, {shared} what another file brings.
HTTP = "events {{}}\nhttp {{\n{shared}\n{file}\n}}\n"
SERVER = "events {{}}\nhttp {{\n{shared}\nserver {{\n{file}\n}}\n}}\n"
LOCATION = "events {{}}\nhttp {{\n{shared}\nserver {{\n{sets}\nlocation / {{\n{file}\n}}\n}}\n}}\n"
_PIECES = (adopt_shared.BUCKETS, adopt_shared.URI, adopt_shared.LOG)
_OWN_BUCKET = re.compile(r"/green/\$(\w+_bucket)\)")
_SLOT_VARIABLE = re.compile(r"\$(\w+_(?:slot|raw|gate))\b")


def http(made: Made, options: Options) -> str:
    """A file that is included in `http`."""
    return _included(made, options, HTTP)


def server(made: Made, options: Options) -> str:
    """A file that is included in a server block, beside a file with the pool."""
    return _included(made, options, SERVER)


def location(made: Made, options: Options) -> str:
    """A file that is included in a location, beside the one of the server block."""
    return _included(made, options, LOCATION)


def main(made: Made, options: Options) -> str:
    """A whole config."""
    return _by_itself(made, options, "")


def alone(made: Made, options: Options) -> str:
    """A file that an nginx in a container includes in `http`: its own config cannot be read from here."""
    return _by_itself(made, options, HTTP)


def _by_itself(made: Made, options: Options, wrapper: str) -> str:
    try:
        binary = nginx_master.find_binary(options.binary)
    except UsageError as error:
        return f"nginx did not test it: {error.what}"
    return _alone(made, binary, wrapper)


def _included(made: Made, options: Options, wrapper: str) -> str:
    try:
        binary = nginx_master.find_binary(options.binary)
        conf, master = nginx_find.locate(options)
    except UsageError as error:
        return f"nginx did not test it: {error.what}"
    config = including(conf, made)
    if config:
        return _together(config, made, binary, master.arguments if master else Arguments())
    untested = _alone(made, binary, wrapper)
    return untested or f"{conf} does not include {made.path}: it was tested alone"


def including(conf: str, made: Made) -> Config | None:
    """The whole config with the files as they will be, where one of its includes will lead to this one."""
    new = _texts(made)

    def there(pattern: str) -> Iterable[str]:
        found = glob.glob(pattern)
        known = set(map(os.path.realpath, found))
        return [*found, *(path for path in new if os.path.realpath(path) not in known and leads_to(pattern, path))]

    try:
        config = chain.load(conf, Names(glob=there), replaced=_by_real_path(new))
    except ProxyswitchError:
        return None
    return config if os.path.realpath(made.path) in config.documents else None


def _texts(made: Made) -> dict[str, bytes]:
    """This file and those that are written with it, by their path."""
    return {one.path: one.text.encode() for one in (made, *made.beside)}


def _by_real_path(texts: dict[str, bytes]) -> dict[str, bytes]:
    return {os.path.realpath(path): text for path, text in texts.items()}


def leads_to(pattern: str, path: str) -> bool:
    """Whether an include will find a file there: a `*` crosses no folder and matches no dotfile (glob(3))."""
    folder, name = os.path.split(path)
    if not fnmatch.fnmatchcase(name, os.path.basename(pattern)) or name.startswith("."):
        return False
    return any(os.path.realpath(found) == os.path.realpath(folder) for found in glob.glob(os.path.dirname(pattern)))


def _together(config: Config, made: Made, binary: str, arguments: Arguments) -> str:
    """With all that the person has: a name that is there twice is found here."""
    changed = {real: text for real, text in _by_real_path(_texts(made)).items() if real in config.documents}
    with scratch.folder() as folder:
        stage = nginx_stage.Stage(config, Path(folder))
        result = stage.test(changed, binary, arguments, lambda: None)
        problems = nginx_stage.judge(result, stage.own_names, running=False)
    return problems[0].what if problems else ""


def _alone(made: Made, binary: str, wrapper: str) -> str:
    with scratch.folder() as folder:
        file, outer = os.path.join(folder, "made.conf"), os.path.join(folder, "nginx.conf")
        files.write_new(file, made.text.encode(), flush=False)
        around = wrapper.format(file=f'include "{file}";', shared=_lacking(made.text), sets=_sets(made.text))
        files.write_new(outer, around.encode(), flush=False)
        command = run.Command((binary, "-t", "-e", "stderr", "-c", outer if wrapper else file), timeout=TIMEOUT)
        problems = nginx_stage.judge(run.run(command), lambda text: text.replace(file, made.path), running=False)
    return problems[0].what if problems else ""


def _lacking(text: str) -> str:
    """What pools in instant mode share, where the file leaves it to another one."""
    data = text.encode()
    lacks = [piece.lines for piece in _PIECES if piece.use.search(data) and piece.lines[1] not in text]
    own = {
        f"split_clients $remote_addr ${name} {{ * 0; }}" for name in _OWN_BUCKET.findall(text) if f" ${name} {{" not in text
    }
    return "\n".join([*(line for lines in lacks for line in lines), *sorted(own)])


def _sets(text: str) -> str:
    """What the file of the server block sets for those of its locations."""
    return "\n".join(f'set ${name} "";' for name in sorted(set(_SLOT_VARIABLE.findall(text))))
