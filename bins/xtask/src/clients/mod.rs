//! The tests with clients that nobody here wrote.
//!
//! ```text
//! tests/clients/python, … ── pytest ────┐
//!                                       ├── HTTP ──> kiro-2api serve ── HTTP ──> kiro-2api sim
//! tests/clients/node, … ── node:test ───┘                                            ^
//!               └──────────── what did it receive, how did the stream end? ──────────┘
//! ```
//!
//! The packages are installed into `target/clients` from the locked lists beside the tests, once; they are
//! installed again when a list changes.

pub(crate) mod node;
mod python;

use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::process;
use crate::stage::{Build, KEY, Stage};
use crate::workspace::Workspace;

/// All tests of one client take seconds; only a hanging stream takes minutes.
const DEADLINE: Duration = Duration::from_secs(300);

/// One retry is enough to be seen, and the tests of refusals need not wait for more; silence is soon filled.
const SETTINGS: [(&str, &str); 2] = [
    ("MAX_RETRIES", "1"),
    ("KIRO_2API_TIMEOUTS__KEEP_ALIVE", "200ms"),
];

/// Somebody else's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The package `openai` for Python.
    Python,
    /// The package `openai` for Node.
    Node,
    /// The packages `langchain-openai` and `langchain-anthropic`.
    LangChain,
    /// The package `litellm`.
    LiteLlm,
    /// The package `pydantic-ai-slim`.
    PydanticAi,
    /// The package `instructor`.
    Instructor,
    /// The package `ai` with `@ai-sdk/openai`, `@ai-sdk/openai-compatible` and `@ai-sdk/anthropic`.
    AiSdk,
    /// The program `aider`.
    Aider,
    /// The program `cn` of Continue.
    Continue,
    /// The program `cline`.
    Cline,
    /// The package `openai-agents`.
    OpenAiAgents,
    /// Codex CLI, from the package `@openai/codex`.
    Codex,
    /// The package `anthropic` for Python.
    AnthropicPython,
    /// The package `@anthropic-ai/sdk`.
    AnthropicNode,
    /// The package `@anthropic-ai/claude-code`.
    ClaudeCode,
}

impl Client {
    /// All of them, in the order they are run.
    pub(crate) const ALL: [Self; 15] = [
        Self::Python,
        Self::Node,
        Self::LangChain,
        Self::LiteLlm,
        Self::PydanticAi,
        Self::Instructor,
        Self::AiSdk,
        Self::Aider,
        Self::Continue,
        Self::Cline,
        Self::OpenAiAgents,
        Self::Codex,
        Self::AnthropicPython,
        Self::AnthropicNode,
        Self::ClaudeCode,
    ];

    /// The client of a name, as on the command line.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }

    /// Its name on the command line, which is that of its folder in `tests/clients` as well.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::LangChain => "langchain",
            Self::LiteLlm => "litellm",
            Self::PydanticAi => "pydantic-ai",
            Self::Instructor => "instructor",
            Self::AiSdk => "ai-sdk",
            Self::Aider => "aider",
            Self::Continue => "continue",
            Self::Cline => "cline",
            Self::OpenAiAgents => "openai-agents",
            Self::Codex => "codex",
            Self::AnthropicPython => "anthropic-python",
            Self::AnthropicNode => "anthropic-node",
            Self::ClaudeCode => "claude-code",
        }
    }

    /// Installs what its tests need and returns the command that runs them.
    fn prepare(self, workspace: &Workspace) -> Result<Command, Failure> {
        match self {
            Self::Node
            | Self::AiSdk
            | Self::AnthropicNode
            | Self::Codex
            | Self::ClaudeCode
            | Self::Continue
            | Self::Cline => node::prepare(workspace, self.name()),
            Self::Python
            | Self::LangChain
            | Self::LiteLlm
            | Self::PydanticAi
            | Self::Instructor
            | Self::OpenAiAgents
            | Self::AnthropicPython
            | Self::Aider => python::prepare(workspace, self.name()),
        }
    }
}

/// Runs the tests of these clients, each against a gateway and a simulator of its own.
///
/// # Errors
///
/// A package cannot be installed, a test fails, or the gateway does not survive.
pub(crate) fn run(workspace: &Workspace, clients: &[Client]) -> Result<(), Failure> {
    for client in clients {
        let mut test = client.prepare(workspace)?;
        let folder = workspace.target.join("clients/stage").join(client.name());
        let mut stage = Stage::start(workspace, Build::Debug, &folder, &SETTINGS)?;
        perform(&mut test, &stage)?;
        stage.check()?;
    }
    Ok(())
}

fn perform(test: &mut Command, stage: &Stage) -> Result<(), Failure> {
    test.env("GATEWAY_URL", &stage.gateway_url);
    test.env("GATEWAY_KEY", KEY);
    test.env("SIMULATOR_URL", &stage.simulator_url);
    // A developer's own proxy must not come between.
    test.env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    process::run_until(test, DEADLINE).map_err(|error| {
        let log = stage.gateway.end_of_log();
        eprintln!("\nThe gateway's log ends with:\n{log}\n");
        error.into()
    })
}
