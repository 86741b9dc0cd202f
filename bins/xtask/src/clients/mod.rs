//! The tests with clients that nobody here wrote.
//!
//! ```text
//! tests/clients/python ── pytest ────┐
//!                                    ├── HTTP ──> kiro-2api serve ── HTTP ──> kiro-2api sim
//! tests/clients/node ── node:test ───┘                                            ^
//!            └──────────── what did it receive, how did the stream end? ──────────┘
//! ```
//!
//! The packages are installed into `target/clients` from the locked lists beside the tests, once; they are
//! installed again when a list changes.

mod install;
mod node;
mod python;
mod stage;

use crate::Failure;
use crate::workspace::Workspace;
use stage::Stage;

/// Somebody else's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The package `openai` for Python.
    Python,
    /// The package `openai` for Node.
    Node,
}

impl Client {
    /// All of them, in the order they are run.
    pub(crate) const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// The client of a name, as on the command line.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

/// Runs the tests of these clients, each against a gateway and a simulator of its own.
///
/// # Errors
///
/// A package cannot be installed, a test fails, or the gateway does not survive.
pub(crate) fn run(workspace: &Workspace, clients: &[Client]) -> Result<(), Failure> {
    stage::build(workspace)?;
    for client in clients {
        let mut test = match client {
            Client::Python => python::prepare(workspace)?,
            Client::Node => node::prepare(workspace)?,
        };
        let stage = Stage::start(workspace, client.name())?;
        stage.perform(&mut test)?;
    }
    Ok(())
}
