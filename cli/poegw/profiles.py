"""Where the addresses and keys of gateways are kept on this machine: one file, readable by its owner only.

Order of what counts: flag, environment, profile. `. .local/run.env` beside a running `make run` sets the environment.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from poegw.errors import CommandError, Exit, not_logged_in

DEFAULT_NAME = "default"


class Target(NamedTuple):
    """The gateway that a command is about."""

    url: str
    key: str | None
    """Opens the administration; an admin's or a viewer's."""
    source: str
    """Where the address comes from, in words."""
    profile: str | None = None


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The file. `POEGW_CONFIG` names another one."""
    if named := environ.get("POEGW_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("poegw") / "profiles.json"


class Profiles:
    """The stored profiles. Reading happens once, at the first look; writing replaces the file as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._data is None:
            try:
                data = json.loads(self.path.read_text(encoding="utf-8"))
                profiles = data["profiles"]
                # Looked at once, so that no command trips over it later in words of its own.
                if not all(isinstance(item, dict) and isinstance(item.get("url"), str) for item in profiles.values()):
                    raise ValueError
            except FileNotFoundError:
                data = {"current": None, "profiles": {}}
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                raise CommandError(
                    f"{self.path} can't be read as profiles.", hint="Mend it or move it away, and log in again."
                ) from None
            self._data = data
        return self._data

    @property
    def current(self) -> str | None:
        name = self._read().get("current")
        return name if isinstance(name, str) and name in self._read()["profiles"] else None

    def names(self) -> list[str]:
        return sorted(self._read()["profiles"])

    def get(self, name: str) -> dict[str, Any]:
        """Raises `CommandError` if there is none with this name."""
        try:
            profile: dict[str, Any] = self._read()["profiles"][name]
        except KeyError:
            known = ", ".join(self.names()) or "none"
            raise CommandError(
                f"There is no profile named {name[:80]!r}.", hint=f"There is: {known}.", status=Exit.NOT_LOGGED_IN
            ) from None
        return profile

    def put(self, name: str, profile: Mapping[str, Any], *, is_current: bool = True) -> None:
        """Store a profile. Raises `CommandError` if the file can't be written."""
        data = self._read()
        data["profiles"][name] = dict(profile)
        if is_current:
            data["current"] = name
        self._write(data)

    def use(self, name: str) -> None:
        """Make it the current one."""
        self.get(name)
        self._write(self._read() | {"current": name})

    def remove(self, name: str) -> None:
        """Forget a profile and its key."""
        data = self._read()
        data["profiles"].pop(name, None)
        if data.get("current") == name:
            data["current"] = next(iter(data["profiles"]), None)
        self._write(data)

    def _write(self, data: dict[str, Any]) -> None:
        self._data = data
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # `mkstemp` gives mode 0600 from the start: no moment at which others could read it.
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".profiles-")
            written = Path(name)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(data, file, indent=2)
                written.replace(self.path)
            except BaseException:
                # A part of it may be there, and holds keys.
                written.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise CommandError(f"{self.path} can't be written: {error.strerror}.") from None


def find_target(
    profiles: Profiles, *, url: str | None, name: str | None, environ: Mapping[str, str] = os.environ
) -> Target:
    """The gateway to talk to. Raises `CommandError` if no address is known."""
    key = environ.get("GATEWAY_ADMIN_KEY") or environ.get("POEGW_KEY") or None
    # An address that is named on the command line never gets a profile's key, which is another gateway's.
    if url:
        return Target(url, key, "--url")
    if name := name or environ.get("POEGW_PROFILE"):
        profile = profiles.get(name)
        return Target(profile["url"], profile.get("key"), f"profile {name}", name)
    if named := environ.get("GATEWAY_URL"):
        return Target(named, key, "GATEWAY_URL")
    # Only beside an administrator's key: alone it is the setting of some other program.
    if key and (named := environ.get("OPENAI_BASE_URL")):
        return Target(named, key, "OPENAI_BASE_URL")
    if current := profiles.current:
        profile = profiles.get(current)
        return Target(profile["url"], profile.get("key"), f"profile {current}", current)
    raise not_logged_in()
