//! `kiro-2api key`: keys for callers, and the hashes that stand for them in the configuration.

use std::io::{IsTerminal as _, Read as _};

use kiro_auth::Secret;
use kiro_gateway::{KeyDigest, MIN_KEY_LENGTH};

use super::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key and print it with its entry for the configuration; it is kept nowhere.
    New {
        /// What the log calls it
        #[arg(default_value = "team")]
        name: String,
    },
    /// Read a key from standard input and print its hash.
    Hash,
}

/// What a key made here begins with, so that scanners for secrets can find one that was lost.
const MARK: &str = "k2a_";

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::New { name } => {
            let key = new_key()?;
            println!(
                "key, for the caller and shown only now:\n\n{}\n",
                key.expose()
            );
            println!("for kiro-2api.toml:\n");
            println!(
                "[[keys]]\nname = {name:?}\nhash = \"{}\"",
                KeyDigest::of(&key)
            );
        }
        Command::Hash => {
            // Arguments of a process can be read by everybody on the machine.
            if std::io::stdin().is_terminal() {
                eprintln!("Type the key, Enter, and Ctrl-D:");
            }
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            println!("{}", hash(&Secret::from(text.trim()))?);
        }
    }
    Ok(())
}

/// 192 random bits.
fn new_key() -> Result<Secret, Failure> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(format!("{MARK}{digits}")))
}

/// The hash of a key that can be used as one.
fn hash(key: &Secret) -> Result<KeyDigest, Failure> {
    let length = key.expose().chars().count();
    if length < MIN_KEY_LENGTH {
        return Err(
            format!("the key has {length} characters; it needs at least {MIN_KEY_LENGTH}").into(),
        );
    }
    if key
        .expose()
        .contains(|c: char| c == ':' || !c.is_ascii_graphic())
    {
        return Err("the key holds a colon, a space or what is not ASCII".into());
    }
    Ok(KeyDigest::of(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_unlike_the_one_before_and_has_a_hash() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), MARK.len() + 48);
        assert!(hash(&one).is_ok());
    }

    #[test]
    fn what_could_be_guessed_or_never_matches_has_no_hash() {
        for key in [
            "short",
            "0123456789:abcdef",
            "0123456789 abcdef",
            "0123456789abcdé-",
        ] {
            assert!(hash(&Secret::from(key)).is_err(), "{key}");
        }
    }
}
