"""The smallest program that streams an answer through the gateway, with OpenAI's SDK (`pip install openai`).

    . .local/run.env && python scripts/example.py

OPENAI_BASE_URL and OPENAI_API_KEY say where and with which key; MODEL and PROMPT are optional.
"""

import os

from openai import OpenAI


def main() -> None:
    """Ask, and print each piece as it comes."""
    with OpenAI() as client:
        stream = client.chat.completions.create(
            model=os.environ.get("MODEL", "Assistant"),
            messages=[{"role": "user", "content": os.environ.get("PROMPT", "Say hello in one sentence.")}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
            elif chunk.usage:
                print(f"\n({chunk.usage.total_tokens} tokens)")


if __name__ == "__main__":
    main()
