//! `kiro-2api accounts list`.

use serde_json::json;

use crate::command::facts::{self, Read, expiry};
use crate::command::{ConfigFile, Failure};
use crate::in_process::{InProcess, configuration, log_little};
use crate::present::{say, say_json, table};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let source = arguments.file.source();
    log_little(&source);
    let accounts = InProcess::open(&source, configuration(&source)?).await?;
    let mut all = Vec::new();
    for member in accounts.members() {
        all.push(facts::read(member).await);
    }
    if arguments.json {
        let all: Vec<_> = all.iter().map(|read| &read.facts).collect();
        return say_json(&json!({"accounts": all}));
    }
    // An empty list says what to do about it.
    accounts.chosen(None)?;
    let rows: Vec<[String; 6]> = all.into_iter().map(row).collect();
    let head = ["NAME", "LOGIN", "TOKEN EXPIRES", "RENEWS", "REGION", "FROM"];
    say(table(head, &rows));
    Ok(())
}

fn row(read: Read) -> [String; 6] {
    let facts = read.facts;
    let (expires, renews) = match &read.credential {
        Ok((_, login)) => (expiry(login), yes_or_no(login.is_refreshable)),
        Err(error) => (error.to_string(), "no"),
    };
    [
        facts.name,
        facts.login.unwrap_or_else(|| "-".to_owned()),
        expires,
        renews.to_owned(),
        facts.region.unwrap_or_else(|| "-".to_owned()),
        facts.from,
    ]
}

fn yes_or_no(it: bool) -> &'static str {
    match it {
        true => "yes",
        false => "no",
    }
}
