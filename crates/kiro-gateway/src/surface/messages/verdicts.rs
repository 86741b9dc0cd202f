//! What becomes of each part of a request, for `docs/compatibility.md` and for `/openapi.json`.

use crate::surface::verdict::Verdict::{Emulated, Honored, Ignored, Refused, Silent};
use crate::surface::verdict::{Table, row};

/// Its members.
pub(crate) const MEMBERS: Table = Table {
    title: "Members of a message request",
    about: "member",
    rows: &[
        row(
            "`model`",
            Honored,
            "Missing: 400. Unknown: 404 `not_found_error`. Answers repeat the name as it was sent.",
        ),
        row(
            "`max_tokens`",
            Emulated,
            "Missing: 400. Thoughts count. More than the model can do is all that it can. 0: the prompt is sent, and the answer is empty with `max_tokens`.",
        ),
        row(
            "`messages`",
            Honored,
            "Missing or empty: 400. See [Blocks](#blocks).",
        ),
        row(
            "`system`",
            Honored,
            "A string or texts. A text that begins with `x-anthropic-billing-header:` is left out: it changes with every session of Claude Code, and would keep the service from finding the rest in a cache.",
        ),
        row("`stream`", Honored, ""),
        row(
            "`tools`",
            Honored,
            "See [Tools of a message request](#tools-of-a-message-request).",
        ),
        row(
            "`tool_choice`",
            Emulated,
            "`auto`, `any`, `tool`, `none`, and `disable_parallel_tool_use`, which ends the answer after the first complete call.",
        ),
        row(
            "`thinking`",
            Honored,
            r#"`enabled` with the effort nearest to its budget, `adaptive` and `between_tools` with `output_config.effort` or else `high`, `disabled`. `display: "omitted"` leaves the text out. Without `thinking` no thoughts are told, because such clients read `content[0].text`. Named as ignored where the model takes none."#,
        ),
        row("`output_config.effort`", Honored, ""),
        row(
            "`output_config.format`, `output_format`",
            Emulated,
            "`json_schema`.",
        ),
        row("`stop_sequences`", Emulated, "An empty one: 400."),
        row(
            "`temperature`, `top_p`, `top_k`",
            Ignored,
            "1 is not named.",
        ),
        row(
            "`metadata`",
            Honored,
            "A `user_id` that is an object as text, with a `session_id`, as Claude Code writes it, is like `prompt_cache_key` of chat. The rest has no effect.",
        ),
        row(
            "`cache_control`, `context_management`, `service_tier`, `speed`, `inference_geo`, `container`, `diagnostics`, `betas`",
            Silent,
            "They do not change the answer, whatever is in them.",
        ),
        row("`mcp_servers`", Refused, "Unless empty."),
        row(
            "`thread`",
            Refused,
            "With `error.details.error_code` `thread_unsupported_request`: no conversation is held between requests. The SDKs' runners of tools, which ask for it by themselves, then send all of it every time.",
        ),
    ],
};

/// What the content of a message holds.
pub(in crate::surface) const BLOCKS: Table = Table {
    title: "Blocks",
    about: "block",
    rows: &[
        row(
            r#"messages with `role: "system"`"#,
            Emulated,
            "They keep their place, as user text between `<system>` and `</system>`.",
        ),
        row("`text`", Honored, ""),
        row("`content` that is `null`", Honored, "As an empty text."),
        row("`image` from `base64`", Honored, "As on the other surface."),
        row(
            "`image` from a `url`",
            Emulated,
            "Fetched, as on the other surface. From a `file`: refused.",
        ),
        row(
            "`document` from `text` or `content`, `search_result`",
            Emulated,
            "As text with their title. PDF, from a `url` or from a `file`: refused.",
        ),
        row(
            "`tool_use`",
            Honored,
            "`input` may be a string. Without a result it gets a stub.",
        ),
        row(
            "`tool_result`",
            Honored,
            "Nothing, a string, or blocks with pictures; `is_error`. One that answers no call: 400.",
        ),
        row(
            "`thinking`, `redacted_thinking`",
            Honored,
            "With the service's signature they go back unmodified. Without a text or a signature they are left out, and where the service refuses a signature, because another has made it, all of them are, in a second attempt.",
        ),
        row("`compaction`", Emulated, "As text."),
        row(
            "`server_tool_use` of `web_search`, `web_search_tool_result`",
            Honored,
            "Where the request offers the search, as the model's call and its result; else as a text with the pages.",
        ),
        row(
            "anything else",
            Emulated,
            "Such as other `server_tool_use` and its results. A short text stands in its place and says what is missing.",
        ),
    ],
};

/// What is offered to the model.
pub(in crate::surface) const TOOLS: Table = Table {
    title: "Tools of a message request",
    about: "tool",
    rows: &[
        row(
            "without `type`, `custom`",
            Honored,
            "`eager_input_streaming`, `cache_control`, `strict`, `input_examples`, `allowed_callers`, `defer_loading` have no effect. Two of one name: 400.",
        ),
        row(
            "`bash_…`, `text_editor_…`, `memory_…`",
            Emulated,
            "With their published schemas; the client runs them.",
        ),
        row(
            "`web_search_…`",
            Emulated,
            "See [below](#web-search). `user_location` is ignored.",
        ),
        row(
            "`web_fetch_…`, `code_execution_…`, `computer_…`, `mcp_toolset`, anything else",
            Refused,
            "The service would have to run them; an answer without looks the same.",
        ),
    ],
};

/// What is inside of the members.
pub(crate) const INSIDE: &[&Table] = &[&BLOCKS, &TOOLS];
