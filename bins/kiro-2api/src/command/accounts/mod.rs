//! `kiro-2api accounts`: the accounts that the gateway serves with.

mod add;
mod import;
mod list;

use std::process::ExitCode;

use kiro_protocol::request::Region;

use super::doctor::{account, report::Report};
use super::{ConfigFile, Failure, exit_code, usage};
use crate::config::Config;
use crate::in_process::{InProcess, configuration, log_little};
use crate::present::{say, say_json};
use crate::saved::{Entry, Saved};
use crate::service::Service;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Accounts are configured (REFRESH_TOKEN, KIRO_CREDS_FILE, KIRO_API_KEY, [[account]]) or saved by `login`, `accounts add`
and `accounts import`. A running gateway takes up what is saved or removed within a few seconds.

Examples:
  kiro-2api accounts list
  kiro-2api accounts import                    the best login of Kiro's IDE, kiro-cli or the Amazon Q CLI
  kiro-2api accounts add ci < api-key.txt      a refresh token, an API key, or JSON
  kiro-2api accounts test ci";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the accounts, where each is kept and how long its token is good.
    List(list::Arguments),
    /// Save an account from a secret on standard input: a refresh token, an API key or JSON.
    Add(add::Arguments),
    /// Use the login of another program: of Kiro's IDE, kiro-cli or the Amazon Q CLI, or a file.
    Import(import::Arguments),
    /// Forget a saved account; the login of another program stays where it is.
    Remove(Remove),
    /// Ask for a token, the quota and an answer as each account.
    Test(Test),
    /// Show what is used of the credits; the same as `kiro-2api usage`.
    Quota(usage::Arguments),
}

/// How an account is saved: what an operator knows better than the login, and what is printed.
#[derive(Debug, clap::Args)]
struct Saving {
    /// The region of the service, where the login does not tell the right one
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The profile that pays, where the login does not tell
    #[arg(long, value_name = "ARN")]
    profile_arn: Option<String>,
    /// Take the place of the account that has this name
    #[arg(long)]
    replace: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Saving {
    /// What the list will have, if it can have the name.
    fn entry(&self, saved: &Saved, name: &str) -> Result<Entry, Failure> {
        saved.check(name, self.replace)?;
        if let Some(region) = &self.region {
            // It becomes a part of a host name.
            Region::new(region)?;
        }
        Ok(Entry {
            region: self.region.clone(),
            profile_arn: self.profile_arn.clone(),
            ..Entry::named(name)
        })
    }
}

#[derive(Debug, clap::Args)]
struct Remove {
    #[command(flatten)]
    file: ConfigFile,
    /// The account
    #[arg(value_name = "NAME")]
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Test {
    #[command(flatten)]
    file: ConfigFile,
    /// One account [default: all]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The model of the test prompt
    #[arg(long, value_name = "MODEL", default_value = "auto")]
    model: String,
    /// Do without the test prompt, which costs a little of the credits
    #[arg(long)]
    no_prompt: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::List(arguments) => list::run(arguments).await?,
        Command::Add(arguments) => add::run(arguments).await?,
        Command::Import(arguments) => import::run(arguments).await?,
        Command::Remove(arguments) => remove(&arguments).await?,
        Command::Test(arguments) => return test(arguments).await,
        Command::Quota(arguments) => return usage::run(arguments).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(arguments: &Remove) -> Result<(), Failure> {
    let config = configuration(&arguments.file.source())?;
    let (name, saved) = (&arguments.name, Saved::of(&config)?);
    let Some(entry) = saved.remove(name).await? else {
        return Err(not_saved(&config, name).into());
    };
    let stays = !saved.owns(&entry);
    if arguments.json {
        return say_json(&serde_json::json!({
            "removed": name,
            "file": entry.file,
            "file_stays": stays,
        }));
    }
    match stays {
        true => say(format_args!(
            "`{name}` is no account any more; {} stays as it is.",
            entry.file.display()
        )),
        false => say(format_args!("`{name}` and its login are removed.")),
    }
    Ok(())
}

/// Why there is nothing to remove, and what to do.
fn not_saved(config: &Config, name: &str) -> String {
    if config.accounts().any(|account| account.name == name) {
        return format!(
            "the account `{name}` is part of the configuration: remove it there; `kiro-2api check` says where"
        );
    }
    let known: Vec<&str> = config.saved.iter().map(|account| &*account.name).collect();
    match known.is_empty() {
        true => format!("there is no account `{name}`: none was saved"),
        false => format!(
            "there is no account `{name}`; saved are {}",
            known.join(", ")
        ),
    }
}

async fn test(arguments: Test) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    log_little(&source);
    let mut accounts = InProcess::open(&source, configuration(&source)?).await?;
    let members = accounts.chosen(arguments.name.as_deref())?;
    let service = Service::new(accounts.config())?;
    let mut report = Report::new(!arguments.json);
    let model = (!arguments.no_prompt).then_some(&*arguments.model);
    for member in &members {
        let _ = account::read(&mut report, member).await;
        account::ask(&mut report, &mut accounts, &service, member, model).await;
    }
    if arguments.json {
        say_json(&report.document())?;
    } else {
        say(report.summary());
    }
    Ok(exit_code(report.is_well()))
}
