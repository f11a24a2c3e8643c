"""What `rdc context push-infra` keeps in place, kept by pyinfra: each file and each unit once, and
a restart of what reads a file that changed. The host's data `wanted` is the folder of the rendered
files. The programs are there already."""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, server, systemd
from pyinfra.operations.util import any_changed

WANTED = Path(host.data.wanted)
UNITS = [
    "rediacc-router.socket",
    "rediacc-router.service",
    "rediacc-proxy.service",
    "rediacc-settle.service",
]


def keep(name, folder, to=None):
    return files.put(
        name=f"Keep {name}",
        src=str(WANTED / name),
        dest=f"{folder}/{to or name}",
        mode="644",
    )


user = keep("sysusers.conf", "/etc/sysusers.d", to="rediacc.conf")
proxy = keep("traefik.yml", "/etc/rediacc/current")
binds = keep("binds.json", "/etc/rediacc/current")
router = keep("router.env", "/etc/rediacc/current")
units = [keep(unit, "/etc/systemd/system") for unit in UNITS]

server.shell(
    name="Create users",
    commands=["systemd-sysusers"],
    _if=user.did_change,
)
systemd.daemon_reload(
    name="Read the units",
    _if=any_changed(*units),
)
systemd.service(
    name="Restart the route server",
    service="rediacc-router.service",
    restarted=True,
    _if=any_changed(router, *units),
)
systemd.service(
    name="Restart the proxy",
    service="rediacc-proxy.service",
    restarted=True,
    _if=any_changed(proxy, binds, *units),
)
for unit in UNITS:
    systemd.service(
        name=f"{unit} is enabled and up",
        service=unit,
        # What brings a cut off push to its end runs at a boot only.
        running=None if unit == "rediacc-settle.service" else True,
        enabled=True,
    )
