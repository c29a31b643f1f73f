"""Find what `_HANDLER` names, and make a Mangum instance of it."""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from mangum import Mangum

from streaming_runtime.errors import InitError


def extend_search_path(task_root: Path, runtime_dir: Path | None) -> None:
    """Order `sys.path` as AWS's runtime does: the function's code, the layers, AWS's own packages, the rest.

    The wrapper script has put this package's folder first; `-m` the working directory.
    """
    layer_root = Path(__file__).parents[1]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [str(task_root.resolve()), str(layer_root / "lib" / version / "site-packages"), str(layer_root)]
    if runtime_dir is not None:
        folders.append(str(runtime_dir))
    sys.path[:] = [*folders, *(folder for folder in sys.path if folder not in folders)]


def load_handler(name: str) -> Mangum:
    """Import `module.attribute`, a Mangum instance or an ASGI application.

    Raises InitError with the types and messages of AWS's client, and whatever else the module raises.
    """
    module_name, dot, attribute = name.rpartition(".")
    if not (dot and module_name and attribute):
        raise InitError(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': _HANDLER={name!r} must be module.attribute"
        )
    module = _import(module_name)
    try:
        found = getattr(module, attribute)
    except AttributeError as error:
        raise InitError(
            "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module_name}'"
        ) from error
    if isinstance(found, Mangum):
        return found
    if not _is_asgi(found):
        raise InitError(
            "Runtime.HandlerNotAsgi",
            f"{name!r} is neither an ASGI application nor a Mangum instance, but a {type(found).__name__}. "
            "For a plain handler(event, context), unset AWS_LAMBDA_EXEC_WRAPPER.",
        )
    return Mangum(found)


def _import(name: str) -> Any:
    if name.partition(".")[0] in sys.builtin_module_names:
        raise InitError("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise InitError("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        raise InitError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}") from error
    except SystemExit as error:
        raise InitError("Runtime.ExitError", f"Module '{name}' ended the process with {error.code!r}") from error


def _is_asgi(found: Any) -> bool:
    """Whether `found` can be called with scope, receive and send."""
    if not callable(found) or inspect.isclass(found):
        return False
    try:
        inspect.signature(found).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
