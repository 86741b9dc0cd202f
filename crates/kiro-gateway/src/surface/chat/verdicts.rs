//! What becomes of each part of a request, for `docs/compatibility.md` and for `/openapi.json`.

use crate::surface::verdict::Verdict::{Emulated, Honored, Ignored, Refused, Silent};
use crate::surface::verdict::{Table, row};

/// Its members.
pub(crate) const MEMBERS: Table = Table {
    title: "Members of the request",
    about: "member",
    rows: &[
        row(
            "`model`",
            Honored,
            "Missing: 400. Unknown: 404 `model_not_found` with the nearest name and the list, or the configured fallback, then named as ignored. Spellings: see [Models](#models). Answers repeat the name as it was sent.",
        ),
        row(
            "`messages`",
            Honored,
            "Missing or empty: 400. See [Messages](#messages).",
        ),
        row("`stream`", Honored, "Whatever the `Accept` header says."),
        row(
            "`stream_options.include_usage`",
            Honored,
            "One more chunk with empty `choices` before `[DONE]`; the other chunks carry `usage: null`. Without it no chunk has `usage`.",
        ),
        row(
            "`stream_options.include_obfuscation`",
            Silent,
            "Chunks are never padded.",
        ),
        row(
            "`tools`",
            Honored,
            "`function` and `custom`. See [Tools](#tools).",
        ),
        row(
            "`tool_choice` of `auto` or `none`",
            Honored,
            "`none`: tools are withheld; where the model calls one that the history made known, the answer ends.",
        ),
        row(
            "`tool_choice`",
            Emulated,
            "A named tool is the only one that is offered; `allowed_tools` filters. An unknown name, or `required` without tools: 400. See [A forced tool](#a-forced-tool).",
        ),
        row(
            "`parallel_tool_calls`",
            Emulated,
            "`false` ends the answer after the first complete call. See [Where an answer ends](#where-an-answer-ends).",
        ),
        row(
            "`functions`, `function_call`",
            Emulated,
            r#"The older form of tools; answers use `function_call` and `finish_reason: "function_call"`. Not together with `tools`."#,
        ),
        row(
            "`reasoning_effort`",
            Honored,
            "As far as the model takes it: the nearest effort it knows; named as ignored where it takes none. `none` and `minimal` turn thinking off, and are never named. Unknown words mean `medium`.",
        ),
        row(
            "`reasoning`",
            Honored,
            "OpenRouter's: `effort`, `max_tokens`, `enabled`; `exclude: true` leaves thoughts out of the answer.",
        ),
        row(
            "`thinking`",
            Honored,
            "Anthropic's: `type`, `budget_tokens`.",
        ),
        row(
            "`max_completion_tokens`, `max_tokens`",
            Emulated,
            "And passed on to models that take it. The newer name wins. Thoughts count. A token is four bytes of the answer's JSON here, the rule of thumb for English; `usage` is counted by a tokenizer and may say a little more or less than the limit. Below 1: 400. See [Where an answer ends](#where-an-answer-ends).",
        ),
        row(
            "`stop`",
            Emulated,
            "In the text only, not in thoughts and arguments. The sequence that is complete first ends the answer, and is not told. More than four, or an empty string: 400. See [Where an answer ends](#where-an-answer-ends).",
        ),
        row(
            "`response_format`",
            Emulated,
            "`text`, the default, is honored. `json_object`, `json_schema`: see [Answers in JSON](#answers-in-json). An unknown type, `json_schema` without a name, or a schema that is none: 400.",
        ),
        row(
            "`temperature`, `top_p`, `top_k`, `min_p`",
            Ignored,
            "Neutral values are not named.",
        ),
        row(
            "`frequency_penalty`, `presence_penalty`, `repetition_penalty`",
            Ignored,
            "Neutral values are not named.",
        ),
        row("`seed`", Ignored, ""),
        row(
            "`verbosity`",
            Emulated,
            "`low` and `high` become a sentence in the system prompt.",
        ),
        row(
            "`n`",
            Refused,
            "1, the default, is honored. One choice in place of three makes callers index out of range.",
        ),
        row(
            "`logprobs`, `top_logprobs`, `logit_bias`",
            Refused,
            "Unless `false`, 0 or empty.",
        ),
        row("`modalities` with `audio`, `audio`", Refused, ""),
        row(
            "`web_search_options`, `moderation`",
            Refused,
            "An answer without the search, or without the moderation, looks the same.",
        ),
        row(
            "`prediction`, `service_tier`, `store`, `metadata`, `user`, `safety_identifier`, `prompt_cache_retention`, `prompt_cache_options`",
            Silent,
            "They do not change the answer.",
        ),
        row(
            "`prompt_cache_key`",
            Honored,
            "Requests with the same one go to the same account while it is not busier than others, where the service may find their beginning in a cache. It is not sent, only a digest of it with the beginning of the conversation.",
        ),
        row(
            "`input` without `messages`",
            Honored,
            "As on `/v1/responses`, with `instructions`, flat tools and `max_output_tokens`; the answer is chat's. Cursor asks like that.",
        ),
    ],
};

/// What `messages` holds.
pub(in crate::surface) const MESSAGES: Table = Table {
    title: "Messages",
    about: "message",
    rows: &[
        row(
            "`system` or `developer` at the beginning",
            Honored,
            "Together they are the system prompt.",
        ),
        row(
            "`system` or `developer` later",
            Emulated,
            "Keeps its place, as user text between `<system>` and `</system>`.",
        ),
        row(
            "`user`",
            Honored,
            "`name` is put before the text. Several in a row are fine. One that says nothing is left out.",
        ),
        row(
            "`assistant`",
            Honored,
            "`refusal` becomes text. Thoughts that a client sends back are left out: this API carries no signature for them. As the last message: the model is asked to go on.",
        ),
        row(
            "`assistant.tool_calls`",
            Honored,
            "Arguments that are not JSON are wrapped, never refused. A call without a result gets a stub.",
        ),
        row(
            "`tool`",
            Honored,
            "Text and images. A result that answers no call: 400.",
        ),
        row(
            "`function`",
            Emulated,
            "Answers the oldest open call of its name.",
        ),
        row("another role", Refused, ""),
    ],
};

/// What the content of a message holds.
pub(in crate::surface) const PARTS: Table = Table {
    title: "Parts of content",
    about: "part",
    rows: &[
        row("`text`", Honored, ""),
        row(
            "`image_url` with a base64 data URL",
            Honored,
            "PNG, JPEG, GIF, WebP; the bytes decide, not the label. Also as a bare string. Beyond the 20 newest, over the service's size, or for a model that cannot see, a short text stands in its place. `images.scale` makes too large ones smaller.",
        ),
        row(
            "`image_url` with `http(s)://`",
            Emulated,
            "Fetched by the gateway from the public internet, if `images.fetch` allows it to this caller; see [configuration.md](configuration.md). What cannot be had is refused with the reason and the place.",
        ),
        row("`image_url.detail`", Silent, ""),
        row(
            "`file` with `file_data`",
            Emulated,
            "Inlined with its name, where it is text. PDF and other binary files: refused.",
        ),
        row("`file` with `file_id`", Refused, ""),
        row("`input_audio`", Refused, ""),
        row("`refusal`", Honored, "As text."),
        row(
            "`tool_use`, `tool_result`, `image`",
            Honored,
            "Anthropic's blocks: some editors send them here.",
        ),
        row(
            "anything else",
            Emulated,
            "A short text stands in its place and says what is missing.",
        ),
    ],
};

/// What is offered to the model.
pub(in crate::surface) const TOOLS: Table = Table {
    title: "Tools",
    about: "what",
    rows: &[
        row(
            "names that the service does not take",
            Emulated,
            "Over 64 characters, or with others than letters, digits, `_` and `-`: a short name goes upstream and is mapped back.",
        ),
        row(
            "JSON schemas",
            Honored,
            "Simplified to what the service takes: `$ref` is inlined, `required`, `enum` and descriptions stay.",
        ),
        row(
            "long descriptions",
            Emulated,
            "What the service does not take moves to the system prompt.",
        ),
        row(
            "`custom` tools",
            Emulated,
            "Offered as a function with one string; answered as a `custom` call. A grammar is described, not enforced.",
        ),
        row("`strict`", Silent, ""),
        row(
            "flat tools, Anthropic's `input_schema`, objects for `tool_choice`",
            Honored,
            "",
        ),
        row(
            "`web_search…`",
            Ignored,
            "Hosted by OpenAI. As `tools.web_search` in the header.",
        ),
        row("other hosted tools", Refused, ""),
    ],
};

/// What is inside of the members.
pub(crate) const INSIDE: &[&Table] = &[&MESSAGES, &PARTS, &TOOLS];
