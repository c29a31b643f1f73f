"""Decrypt the credentials in an export of the original gateway's accounts, for `poegw import --mongo-export`.

    FERNET_KEY=… python scripts/decrypt_mongo_export.py < encrypted.json > accounts.json

The input is what `mongoexport` writes, one document per line or `--jsonArray`. The output has cookies in the clear:
delete it when they are imported. Needs `pip install cryptography`. The exit status is 1 for a document that the key
does not open; its number is told, and nothing of it.
"""

import json
import os
import sys
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


def decrypted(documents: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Each document with its credentials as fields of their own. Raises `ValueError`, which quotes no value."""
    try:
        fernet = Fernet(key)
    except ValueError:
        raise ValueError("FERNET_KEY is missing, or is no Fernet key") from None
    found = []
    for number, document in enumerate(documents, 1):
        try:
            credentials = json.loads(fernet.decrypt(str(document["credentials"])))
            found.append({"email": document["email"], **credentials})
        except (InvalidToken, KeyError, TypeError, ValueError):
            raise ValueError(f"document {number} can't be opened with this key") from None
    return found


def read_documents(text: str) -> list[dict[str, Any]]:
    """Both forms of an export. Raises `ValueError`."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def main() -> int:
    """Returns the exit status."""
    try:
        found = decrypted(read_documents(sys.stdin.read()), os.environ.get("FERNET_KEY", ""))
    except json.JSONDecodeError:
        print("The input is no JSON export of a collection.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
