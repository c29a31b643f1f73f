"""The bodies of the image endpoints, normalised. Input images are bytes in the body or behind an https address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from gateway.http import fields
from gateway.http.bodies import Form
from gateway.http.declared_body import Body, Field
from gateway.http.errors import GatewayError, gateway_error, invalid
from gateway.http.schemas import TEXT, Schema, array, obj
from gateway.prompt.attachments import MAX_TOTAL_BYTES
from gateway.prompt.body import read_parameters
from lazy_dataclasses import dataclass
from reverse.chat import Attachment
from reverse.errors import PoeError
from reverse.file_types import safe_name, sniff_type

# As OpenAI has it.
MAX_IMAGES = 10
MAX_INPUT_IMAGES = 16
MAX_PROMPT_CHARS = 32_000
MAX_INPUT_BYTES = 20 * 1024 * 1024
_FETCH_SECONDS = 20.0
_MASK_NOTE = "\n\n(The last image is a mask: change only what is transparent in it.)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWishes:
    """What a caller said about the image besides the prompt."""

    size: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, passed on as they are."""
    others: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of OpenAI's that a bot may know under the same name."""


_ADDRESS: Schema = {
    "anyOf": [
        {**TEXT, "description": "A data URL or an https address."},
        obj("image_url", image_url={"anyOf": [TEXT, obj("url", url=TEXT)]}),
    ]
}


class ImageBody(Body):
    """`POST /v1/images/generations`."""

    model = fields.required_text(max_length=256)
    prompt = fields.required_text(max_length=MAX_PROMPT_CHARS)
    n = fields.integer(lowest=1, highest=MAX_IMAGES, description="How many images; each is paid for.")
    response_format = fields.choice("url", "b64_json")
    size = fields.text(max_length=40, description="As 1536x1024, or a resolution of the bot's own.")
    aspect_ratio = fields.text(max_length=40, description="As 3:2; an extension.")
    image_size = fields.text(max_length=40, description="The bot's own resolution, as 2K; an extension.")
    quality = fields.option(fields.anything())
    style = fields.option(fields.anything())
    background = fields.option(fields.anything())
    output_format = fields.option(fields.anything())
    output_compression = fields.option(fields.anything())
    moderation = fields.option(fields.anything())
    input_fidelity = fields.option(fields.anything())
    parameters: Field[dict[str, Any] | None] = Field(
        read_parameters, lambda: {"type": "object"}, default=None, description="Options that the bot itself declares."
    )
    stream = fields.flag("Not offered.")
    partial_images = fields.integer(lowest=0, description="Not offered.")


class EditBody(ImageBody):
    """`POST /v1/images/edits` in JSON."""

    image = fields.anything({"anyOf": [_ADDRESS, array(_ADDRESS, maxItems=MAX_INPUT_IMAGES)]})
    images = fields.anything(array(_ADDRESS, maxItems=MAX_INPUT_IMAGES), "OpenAI's form of `image` for JSON.")
    mask = fields.anything(_ADDRESS, "What may change is transparent in it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One request for images."""

    model: str
    prompt: str = field(repr=False)
    count: int = 1
    wants_data: bool = False
    """Whether the images themselves are asked for instead of their addresses."""
    wishes: ImageWishes = field(default_factory=ImageWishes)
    images: tuple[Attachment, ...] = field(default=(), repr=False)

    @property
    def is_edit(self) -> bool:
        return bool(self.images)


def read_generation(values: Mapping[str, Any]) -> ImageRequest:
    """Normalise the body of a generation. Raises `GatewayError` (400)."""
    return _read(ImageBody(values), ())


async def read_json_edit(values: Mapping[str, Any]) -> ImageRequest:
    """Normalise the JSON body of an edit, fetching what it only names. Raises `GatewayError` (400)."""
    body = EditBody(values)
    _read(body, ())  # what is wrong without them is told before anything is fetched
    images: list[Attachment] = []
    for text, param in _addresses(body):
        images.append(await image_from_text(text, param))
        # After each: sixteen of them would be 320 MB in memory before their sum was known.
        _check_total(images)
    if not images:
        raise body.missing("image")
    if body.mask is not None:
        # The mask comes last, which the note in the prompt relies on.
        images.append(await image_from_text(_address(body.mask, body, "mask"), "mask", name="mask.png"))
    return _read(body, tuple(images), has_mask=body.mask is not None)


async def read_form_edit(form: Form) -> ImageRequest:
    """Normalise the form of an edit: fields `image`, `image[]` or `image…`, and `mask`. Raises `GatewayError` (400)."""
    # The same fields as in JSON, once their text is turned into values.
    body = ImageBody(_typed(form.fields))
    _read(body, ())
    files = [part for part in form.files if part.field_name != "mask"]
    # A misspelt field would be left out, and the result paid for.
    if not all(part.field_name.startswith("image") for part in files):
        raise invalid("A file's field must be called 'image', 'image[]' or 'mask'.", code="unknown_parameter")
    images = [image_from_bytes(part.data, part.file_name, "image") for part in files]
    # Some clients put a data URL or an address into a form's field.
    for name, text in form.fields.items():
        if name in ("image", "image[]"):
            images.append(await image_from_text(text, "image"))
    if not images:
        raise body.missing("image")
    masks = [image_from_bytes(part.data, "mask.png", "mask") for part in form.files if part.field_name == "mask"]
    if form.fields.get("mask"):
        masks.append(await image_from_text(form.fields["mask"], "mask", name="mask.png"))
    if len(masks) > 1:
        raise invalid("There may be one 'mask'.", param="mask", code="out_of_range")
    return _read(body, tuple(images + masks), has_mask=bool(masks))


def _read(body: ImageBody, images: tuple[Attachment, ...], *, has_mask: bool = False) -> ImageRequest:
    # Refused, not ignored: a client that streams can't read the answer.
    if body.stream or body.partial_images:
        raise invalid(
            "Images are not streamed: the upstream makes them in one piece. Leave out 'stream' and 'partial_images'.",
            param="stream" if body.stream else "partial_images",
            code="unsupported_value",
        )
    _check_total(images)
    if len(images) - has_mask > MAX_INPUT_IMAGES:
        raise invalid(f"'image' may be at most {MAX_INPUT_IMAGES} images.", param="image", code="out_of_range")
    return ImageRequest(
        model=body.model.strip(),
        # Poe's bots know no masks: an image with a word of explanation is the nearest that they understand.
        prompt=body.prompt + _MASK_NOTE if has_mask else body.prompt,
        count=body.n or 1,
        wants_data=body.response_format == "b64_json",
        wishes=ImageWishes(
            size=body.size,
            aspect_ratio=body.aspect_ratio,
            image_size=body.image_size,
            parameters=body.parameters or {},
            others=body.options(),
        ),
        images=images,
    )


def _check_total(images: Sequence[Attachment]) -> None:
    """Raises `GatewayError` (400) for images that are too large together, as for the files of a conversation."""
    if sum(len(image.data or b"") for image in images) > MAX_TOTAL_BYTES:
        raise invalid("The images are too large together.", param="image", code="file_too_large")


_FORM_TYPES: dict[str, Callable[[str], Any]] = {
    "n": int,
    "partial_images": int,
    "output_compression": int,
    "stream": lambda text: {"true": True, "false": False}[text.lower()],
}


def _typed(fields: Mapping[str, str]) -> dict[str, Any]:
    """Text of a form as the values that JSON would have. What can't be read so stays text, and is refused as such."""
    values: dict[str, Any] = {}
    for name, text in fields.items():
        read = _FORM_TYPES.get(name, str)
        try:
            # Forms send empty fields for what was left out.
            values[name] = read(text) if text != "" else None
        except (ValueError, KeyError):
            values[name] = text
    return values


def _addresses(body: EditBody) -> list[tuple[str, str]]:
    """The input images of a JSON body: `image` as text or texts, or OpenAI's `images` with `image_url` each."""
    name, value = ("images", body.images) if body.image is None else ("image", body.image)
    values: Sequence[Any] = value if isinstance(value, list) else [] if value is None else [value]
    if len(values) > MAX_INPUT_IMAGES:
        raise invalid(f"'{name}' may be at most {MAX_INPUT_IMAGES} images.", param=name, code="out_of_range")
    return [(_address(item, body, name), name) for item in values]


def _address(value: Any, body: Body, name: str) -> str:
    if isinstance(value, dict):
        # Both of OpenAI's forms, nested or not: clients mix them up.
        value = value.get("image_url") or value.get("url")
        value = value.get("url") if isinstance(value, dict) else value
    if not isinstance(value, str):
        raise body.wrong(name, "a data URL or an https address, or an array of them")
    return value


async def image_from_text(text: str, param: str, *, name: str = "image") -> Attachment:
    """An image by its data URL or its address. Never a path of this machine, whatever it looks like.

    `param` is the caller's field, for errors. Raises `GatewayError` (400) for what is no image or can't be had.
    """
    from reverse.fetch import fetch, parse_data_url

    text = text.strip()
    scheme = text.partition(":")[0].lower()
    # Told apart from what can't be read as an image: a path is a frequent mistake, and must not be opened.
    if scheme not in ("data", "https"):
        raise invalid(f"'{param}' must be a data URL or an https address.", param=param, code="invalid_url")
    try:
        if scheme == "data":
            file = parse_data_url(text, max_bytes=MAX_INPUT_BYTES)
        else:
            file = await fetch(text, max_bytes=MAX_INPUT_BYTES, timeout_seconds=_FETCH_SECONDS)
    except PoeError as error:
        raise _refused(error, param) from None
    return image_from_bytes(file.data, file.name if name == "image" else name, param)


def _refused(error: PoeError, param: str) -> GatewayError:
    """An input image that can't be had is the caller's mistake, whatever the reason."""
    # A timeout of somebody's server is no 504 of Poe, and none of the gateway.
    situation = gateway_error(error)
    code = situation.code if situation.code in ("unsafe_url", "file_too_large") else "invalid_image"
    return invalid(f"'{param}' can't be read as an image.", param=param, code=code)


def image_from_bytes(data: bytes, name: str, param: str) -> Attachment:
    """An image by its bytes, which alone say what it is. Raises `GatewayError` (400) if they are none."""
    # The name and the declared type are the caller's word; providers look at the bytes, too.
    content_type = sniff_type(data, "")
    if not content_type.startswith("image/"):
        raise invalid(f"'{param}' is not an image.", param=param, code="invalid_image")
    return Attachment(safe_name(name, content_type), content_type, data)
