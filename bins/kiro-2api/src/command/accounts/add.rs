//! `kiro-2api accounts add`: an account from a secret.

use std::io::{IsTerminal as _, Read as _};

use kiro_auth::{Credential, Secret};
use serde_json::json;

use crate::command::{ConfigFile, Failure};
use crate::in_process::configuration;
use crate::present::{say, say_json};
use crate::saved::Saved;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// What the account is called
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    saving: super::Saving,
}

const EXAMPLES: &str = "\
The secret comes on standard input, because arguments can be read by everybody on the machine. It is a refresh
token, an API key (ksk_…), JSON in the form of Kiro's cache, or the base64url of such JSON. From then on the gateway
alone should use it: two programs with one refresh token sign each other out.

Examples:
  kiro-2api accounts add ci < api-key.txt
  kiro-2api accounts add laptop < kiro-auth-token.json
  pass show kiro | kiro-2api accounts add work";

/// A login has some kilobytes.
const MAX_INPUT: u64 = 1024 * 1024;

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = configuration(&arguments.file.source())?;
    let saved = Saved::of(&config)?;
    let name = &*arguments.name;
    let entry = arguments.saving.entry(&saved, name)?;
    let credential = credential(&input()?)?;
    let file = saved
        .keep(entry, &credential, arguments.saving.replace)
        .await?;
    let login = credential.login.to_string();
    if arguments.saving.json {
        return say_json(&json!({"account": name, "login": login, "file": file}));
    }
    say(format_args!(
        "Saved `{name}` ({login}) in {}. Try it: kiro-2api accounts test {name}",
        file.display()
    ));
    Ok(())
}

fn input() -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        let prompt = "Paste the refresh token or API key (it is not shown), and press Enter: ";
        return Ok(Secret::new(rpassword::prompt_password(prompt)?));
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_INPUT).read_to_string(&mut text)?;
    Ok(Secret::new(text))
}

/// JSON or one of the forms that fit into a line.
fn credential(input: &Secret) -> Result<Credential, Failure> {
    let text = input.expose().trim();
    let read = match text.starts_with('{') {
        true => Credential::from_json(text),
        false => Credential::from_compact(&Secret::from(text)),
    };
    let credential = read.map_err(Unusable)?;
    if credential.client_id_hash.is_some() && credential.client_secret.is_none() {
        return Err("this login has its client registration in a second file: use `kiro-2api accounts import FILE`, which finds it".into());
    }
    Ok(credential)
}

#[derive(Debug, thiserror::Error)]
#[error("the input is no refresh token, no API key and no JSON of a login")]
struct Unusable(#[source] kiro_auth::AuthError);
