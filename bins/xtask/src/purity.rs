//! What each crate may depend on. The absences are promises to the people who use a crate alone.

use crate::Failure;
use crate::process;
use crate::workspace::Workspace;

/// A promise: with all of its features, `package` depends on none of these, directly or through others.
struct Promise {
    package: &'static str,
    never: &'static [&'static str],
}

const PROMISES: [Promise; 6] = [
    // Shapes only: usable in a client, a server or a browser.
    Promise {
        package: "anthropic-types",
        never: &[
            "kiro-auth",
            "kiro-gateway",
            "kiro-protocol",
            "kiro-sim",
            "openai-types",
            "tokio",
            "hyper",
            "rustls",
        ],
    },
    Promise {
        package: "openai-types",
        never: &[
            "anthropic-types",
            "kiro-auth",
            "kiro-gateway",
            "kiro-protocol",
            "kiro-sim",
            "tokio",
            "hyper",
            "rustls",
        ],
    },
    // Sans-IO: no runtime, no sockets, no TLS. The `http` crate is types only.
    Promise {
        package: "kiro-protocol",
        never: &[
            "anthropic-types",
            "kiro-auth",
            "kiro-gateway",
            "kiro-sim",
            "openai-types",
            "tokio",
            "hyper",
            "hyper-util",
            "rustls",
            "mio",
            "socket2",
            "futures-executor",
            "smol",
            "async-std",
        ],
    },
    // Credentials are of use without any dialect.
    Promise {
        package: "kiro-auth",
        never: &[
            "anthropic-types",
            "kiro-gateway",
            "kiro-protocol",
            "kiro-sim",
            "openai-types",
        ],
    },
    // The simulator must not share a mistake with what it tests.
    Promise {
        package: "kiro-sim",
        never: &[
            "anthropic-types",
            "kiro-auth",
            "kiro-gateway",
            "openai-types",
        ],
    },
    // The service does not carry its test double around, nor does it read files or the environment.
    Promise {
        package: "kiro-gateway",
        never: &[
            "kiro-sim",
            "figment",
            "clap",
            "dotenvy",
            "tracing-subscriber",
        ],
    },
];

/// A crate that depends on what it promises not to.
#[derive(Debug, thiserror::Error)]
#[error(
    "{package} depends on {dependency}, which it must not; `cargo tree -p {package} -e normal --all-features -i {dependency}` shows how"
)]
struct Broken {
    package: &'static str,
    dependency: String,
}

/// Checks every promise against the dependency tree.
///
/// # Errors
///
/// A crate depends on what it must not.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    for promise in &PROMISES {
        let mut tree = workspace.command("cargo", &["tree", "--locked", "-p", promise.package]);
        tree.args(["--edges=normal", "--all-features", "--prefix=none"]);
        let tree = process::output(&mut tree)?;
        if let Some(dependency) = first_of(promise.never, &tree) {
            let (package, dependency) = (promise.package, dependency.to_owned());
            return Err(Broken {
                package,
                dependency,
            }
            .into());
        }
        let never = promise.never.join(", ");
        println!("{} is free of {never}", promise.package);
    }
    Ok(())
}

/// The first package of a tree, one a line with its version behind it, that is among those.
fn first_of<'a>(never: &[&str], tree: &'a str) -> Option<&'a str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| never.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_package_is_found_by_its_whole_name() {
        let tree =
            "kiro-protocol v0.1.0 (/x/tokio)\nbytes v1.12.2\nhyper-ish v1.0.0\nhyper v1.12.0 (*)\n";
        assert_eq!(first_of(&["tokio", "hyper"], tree), Some("hyper"));
        assert_eq!(first_of(&["tokio", "rustls"], tree), None);
    }
}
