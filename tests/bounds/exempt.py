"""Functions that take text apart and are not measured, each with the reason."""

from __future__ import annotations

_OURS = "reads what is written in the product, or by whoever deploys it"
_SHORT = "what it reads is bounded by its caller, or by the protocol, to a few kilobytes"
_ONE_PASS = "one call that takes time in proportion to its input, on what was checked before"
_PIECES = "hands out bounded pieces, as many as its reader asks for"
_OWN_PROCESS = "runs in a process that is ended when its time is over"

EXEMPT: dict[str, str] = {
    "gateway/app.py:Gateway._serve": _SHORT,
    "gateway/bootstrap.py:_read_secret": _OURS,
    "gateway/surfaces/responses/resource.py:OutputItem.call_id": _OURS,
    "gateway/surfaces/responses/turns.py:Turns.add": _SHORT,
    "gateway/surfaces/responses/turns.py:_sealed": _ONE_PASS,
    "reverse/official/messages_endpoint.py:_legal_id": _SHORT,
    "gateway/models/catalogue.py:Catalogue._embedded": _OURS,
    "gateway/models/catalogue.py:_bots_by_codename": _OURS,
    "gateway/models/catalogue.py:_codenames": _OURS,
    "gateway/http/auth.py:_covers": _SHORT,
    "gateway/http/bodies.py:unpacked": _ONE_PASS,
    "gateway/http/schemas.py:obj": _OURS,
    "gateway/app.py:preload": _OURS,
    "gateway/prompt/request.py:FieldNames.of": _OURS,
    "streaming_runtime/handler.py:_import": _OURS,
    "streaming_runtime/log.py:failure": _OURS,
    "reverse/official/dialing.py:Origin.host_header": _OURS,
    "reverse/official/dialing.py:Origin.of": _OURS,
    "reverse/official/dialing.py:Proxy.of": _OURS,
    "reverse/official/http1.py:encode_request_head": _OURS,
    "reverse/official/content_coding.py:ContentDecoder.decode": _PIECES,
    "streaming_runtime/failures.py:type_name": _OURS,
    "streaming_runtime/handler.py:load_handler": _OURS,
    "streaming_runtime/http11.py:encode_head": _OURS,
    "streaming_runtime/http11.py:encode_last_chunk": _OURS,
    "streaming_runtime/runtime_api.py:RuntimeApi._post": _OURS,
    "gateway/surfaces/media/image_parameters.py:_choose": _SHORT,
    "gateway/surfaces/media/image_parameters.py:_ratio": _SHORT,
    "gateway/surfaces/responses/storage.py:item_ids": _OURS,
    "reverse/compat/_groups.py:GroupMethods.create_group": _SHORT,
    "reverse/compat/_groups.py:GroupMethods.load_group_history": _SHORT,
    "reverse/official/login.py:PoeLogin._judge": _SHORT,
    "reverse/official/login.py:PoeLogin._returned": _SHORT,
    "reverse/official/transport.py:content_type": _SHORT,
    "reverse/web/_bots.py:Bots._category": _SHORT,
    "reverse/web/_channel.py:Channel._handshake": _SHORT,
    "reverse/web/_refusals.py:refusal": _SHORT,
    "reverse/web/_transport.py:Transport.request": _SHORT,
    "reverse/web/_transport.py:_origin": _SHORT,
    "reverse/fetch.py:open_file": _SHORT,
    "gateway/generation/downloads.py:Downloads._is_fetchable": _ONE_PASS,
    "gateway/generation/downloads.py:_origin": _ONE_PASS,
    "gateway/admin/books.py:UsageQuery.groups": _SHORT,
    "gateway/admin/sign_in.py:begin_sign_in": _ONE_PASS,
    "gateway/admin/sign_in.py:complete_sign_in": _ONE_PASS,
    "reverse/compat/_bots.py:BotMethods.explore": "calls a method of the client that is named so",
    "reverse/compat/_groups.py:_read": "reads a file of the user's own, of a bounded size",
    "reverse/web/_graphql.py:GraphQL._fetch_secret_script": _SHORT,
    "reverse/web/_graphql.py:GraphQL.fetch_channel_settings": _ONE_PASS,
    "reverse/web/_models.py:_object_in_text": _ONE_PASS,
    "reverse/web/_form_key.py:evaluate_form_key": _ONE_PASS,
    "reverse/web/_form_key_program.py:main": _OWN_PROCESS,
}
