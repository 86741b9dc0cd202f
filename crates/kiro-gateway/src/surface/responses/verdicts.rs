//! What becomes of each part of a request, for `docs/compatibility.md` and for `/openapi.json`.

use crate::surface::verdict::Verdict::{Emulated, Honored, Ignored, Refused, Silent};
use crate::surface::verdict::{Table, row};

/// Its members.
pub(crate) const MEMBERS: Table = Table {
    title: "Members of a responses request",
    about: "member",
    rows: &[
        row("`model`, `stream`", Honored, ""),
        row(
            "`input`",
            Honored,
            "A string or items. Missing or empty: 400, unless there is a `previous_response_id`. See [Items](#items).",
        ),
        row(
            "`instructions`",
            Honored,
            "The system prompt, before leading `system` and `developer` messages. Not inherited from the previous response.",
        ),
        row(
            "`tools`",
            Honored,
            "See [Tools of a responses request](#tools-of-a-responses-request).",
        ),
        row(
            "`tool_choice`",
            Emulated,
            "As with chat, and a name may be in a `namespace`: `auto`, `none`, `required`, a `function` or `custom` tool, `allowed_tools`.",
        ),
        row("`tool_choice` of a tool that the server runs", Refused, ""),
        row("`parallel_tool_calls`", Emulated, "As with chat."),
        row(
            "`reasoning.effort`",
            Honored,
            "As `reasoning_effort` of chat. Named as `reasoning` where the model takes none.",
        ),
        row(
            "`reasoning.summary`, `reasoning.generate_summary`",
            Silent,
            "Thoughts are always told, as one summary part.",
        ),
        row(
            "`reasoning.context`",
            Silent,
            "Thoughts that come back go to the model, whichever they are.",
        ),
        row(
            "`reasoning.mode`",
            Ignored,
            "`standard`, the default, is honored.",
        ),
        row(
            "`text.format`",
            Emulated,
            "As `response_format` of chat, in the flat form.",
        ),
        row("`text.verbosity`", Emulated, "As `verbosity` of chat."),
        row(
            "`max_output_tokens`",
            Emulated,
            "As `max_tokens` of chat: `incomplete` with `max_output_tokens`.",
        ),
        row(
            "`metadata`",
            Honored,
            "Sent back. Values that are not strings: 400.",
        ),
        row(
            "`include` with `reasoning.encrypted_content`",
            Honored,
            "It holds the thoughts and the model's signature, not hidden from their owner, with a digest that tells whether it comes back unchanged and from the same caller. It is no protection against the caller: that nobody else's thoughts are put into the model's mouth is for the model's signature. A guest's digest cannot be made without the guest's login; that of the server's own callers can.",
        ),
        row("`include` with `message.output_text.logprobs`", Refused, ""),
        row(
            "`include` with anything else",
            Silent,
            "There is none of it.",
        ),
        row(
            "`store`, `previous_response_id`",
            Honored,
            "Kept in memory, or in a Redis that several gateways share, bounded and for an hour of disuse, for each caller apart ([configuration](configuration.md#responses)). A response that could not be kept says `store: false` at its end. Failed and abandoned responses are not kept. An unknown id: 400 `previous_response_not_found`, because Codex asks again after a 404.",
        ),
        row(
            "`prompt_cache_key`",
            Honored,
            "As with chat. A chain of responses stays together without one.",
        ),
        row(
            "`truncation`",
            Ignored,
            "`disabled`, the default, is honored.",
        ),
        row("`temperature`, `top_p`", Ignored, "1 is not named."),
        row("`max_tool_calls`", Ignored, ""),
        row(
            "`background`, `conversation`, `prompt`, `moderation`, `top_logprobs`",
            Refused,
            "Unless `false`, absent or 0.",
        ),
        row(
            "`context_management`, `service_tier`, `user`, `safety_identifier`, `prompt_cache_retention`, `prompt_cache_options`, `stream_options`, `client_metadata`",
            Silent,
            "They do not change the answer.",
        ),
    ],
};

/// What `input` holds.
pub(in crate::surface) const ITEMS: Table = Table {
    title: "Items",
    about: "item",
    rows: &[
        row(
            "`message`",
            Honored,
            "As with chat; `input_text`, `output_text`, `refusal`, `input_image` (a data URL, or fetched), `input_file` with text. A picture or a file by `file_id`, or a file by URL: 400. The type may be left out.",
        ),
        row(
            "`function_call`, `custom_tool_call`",
            Honored,
            "Tool uses. Arguments that are not JSON are wrapped.",
        ),
        row(
            "`function_call_output`, `custom_tool_call_output`",
            Honored,
            "Results; an output may be an array with pictures. One without its call: 400.",
        ),
        row(
            "`reasoning`",
            Honored,
            "The thoughts, where `encrypted_content` is ours, of this caller and unchanged. Another is left out and named as `reasoning.encrypted_content`, and never refused, also with `server.refuse_ignored`: a conversation that began elsewhere is full of them. Without one, nothing is left out that could go back.",
        ),
        row(
            "`item_reference`",
            Honored,
            "The item, where it is kept. An unknown id: 400; of thoughts: left out. The type may be left out.",
        ),
        row("`additional_tools`", Honored, "Join the tools."),
        row(
            "`tool_search_call`, `tool_search_output`",
            Honored,
            "A tool use and its result; the tools that were found join the others.",
        ),
        row(
            "`web_search_call`, `file_search_call`, `code_interpreter_call`, `image_generation_call`, `computer_call`, `computer_call_output`, `local_shell_call`, `local_shell_call_output`, `shell_call`, `shell_call_output`, `apply_patch_call`, `apply_patch_call_output`, `mcp_list_tools`, `mcp_approval_request`, `mcp_approval_response`, `mcp_call`, `program`, `program_output`, `compaction`, `compaction_trigger`",
            Emulated,
            "What another server did is told to the model in words.",
        ),
        row("anything else", Emulated, "In words, as well."),
    ],
};

/// What is offered to the model.
pub(in crate::surface) const TOOLS: Table = Table {
    title: "Tools of a responses request",
    about: "tool",
    rows: &[
        row("`function`", Honored, ""),
        row(
            "`custom`",
            Emulated,
            "A function with one text; calls are `custom_tool_call` items, told when they are whole.",
        ),
        row(
            "`namespace`",
            Emulated,
            "Its tools, as `namespace__name`; calls are told with the `namespace` and the inner name.",
        ),
        row(
            "`tool_search` for the client",
            Emulated,
            "A function; calls are `tool_search_call` items.",
        ),
        row("`tool_search` for the server", Ignored, ""),
        row(
            "`web_search`, `web_search_2025_08_26`, `web_search_preview`, `web_search_preview_2025_03_11`",
            Ignored,
            "Left out, and named as `tools.web_search`; those below with their own names.",
        ),
        row(
            "`image_generation`, `local_shell`, `shell`, `apply_patch`",
            Ignored,
            "",
        ),
        row(
            "`programmatic_tool_calling`, anything else",
            Ignored,
            "Named as `tools`.",
        ),
        row(
            "`file_search`, `code_interpreter`, `mcp`, `computer`, `computer_use_preview`",
            Refused,
            "400 `unsupported_value`: an answer without them looks the same.",
        ),
    ],
};

/// What is inside of the members.
pub(crate) const INSIDE: &[&Table] = &[&ITEMS, &TOOLS];
