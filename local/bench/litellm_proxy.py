"""The published LiteLLM proxy, where it is installed: a process of its own, with settings for production."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.bench.served import Server, served
from local.reaper import Reaper
from local.settings import ROOT

ENVIRONMENT = ROOT / "build" / "bench" / "litellm"
"""What `make bench PEERS=1` installs from requirements/bench-litellm.txt."""
MASTER_KEY = "sk-bench-litellm"
HEALTH = "/health/liveliness"

# Everything it would fetch at start or in the background is in the package, too; and nothing is logged but errors.
_SETTINGS = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
}
_KEY_VARIABLE = "UPSTREAM_API_KEY"


@dataclass(frozen=True, slots=True)
class LiteLlm:
    """An installed LiteLLM with its proxy's extras."""

    command: Path
    version: str

    @classmethod
    def find(cls, environment: Path = ENVIRONMENT) -> LiteLlm:
        """Raises `RuntimeError` where it is not installed."""
        command = environment / "bin" / "litellm"
        found = sorted(environment.glob("lib/python3*/site-packages/litellm-*.dist-info"))
        if not command.exists() or not found:
            raise RuntimeError("LiteLLM is not installed: make bench PEERS=1 does that, and measures")
        return cls(command, found[-1].name.removeprefix("litellm-").removesuffix(".dist-info"))

    @asynccontextmanager
    async def serve(
        self, *, upstream: str, api_key: str, models: list[str], reaper: Reaper, folder: Path
    ) -> AsyncIterator[Server]:
        """One worker without a database in front of an OpenAI-compatible `upstream` (with `/v1`); see `served`.

        Callers authenticate with `MASTER_KEY`.
        """
        config = _write_config(folder, upstream, models)
        command = [str(self.command), "--config", str(config), "--num_workers", "1", "--telemetry", "False"]
        # Nothing of the caller's: neither its proxies nor a key or database that LiteLLM would find there.
        environment = {
            **_SETTINGS,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LITELLM_MASTER_KEY": MASTER_KEY,
            _KEY_VARIABLE: api_key,
        }
        log = folder / "litellm.log"
        async with served(command, health=HEALTH, environment=environment, reaper=reaper, log=log) as server:
            yield server


def _write_config(folder: Path, upstream: str, models: list[str]) -> Path:
    settings = {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": {
                    "model": f"openai/{model}",
                    "api_base": upstream,
                    "api_key": f"os.environ/{_KEY_VARIABLE}",
                },
            }
            for model in models
        ],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        "litellm_settings": {"set_verbose": False, "request_timeout": 600, "telemetry": False},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return path
