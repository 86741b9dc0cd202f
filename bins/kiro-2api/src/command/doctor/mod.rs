//! `kiro-2api doctor`: what was found, what works, and what to do about the rest.

pub(super) mod account;
mod hosts;
mod machine;
pub(super) mod report;

use std::process::ExitCode;

use super::{ConfigFile, Failure, exit_code};
use crate::config::Config;
use crate::in_process::{InProcess, log_little};
use crate::present::{say, say_json};
use crate::saved;
use crate::service::Service;
use report::Report;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Ask no host: only what is on this machine
    #[arg(long)]
    offline: bool,
    /// The model of the test prompt
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "auto",
        conflicts_with = "offline"
    )]
    model: String,
    /// Do without the test prompt, which costs a little of the credits
    #[arg(long, conflicts_with = "offline")]
    no_prompt: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Each line is ok, a note, a warning or a PROBLEM, and says what to do about it. Secrets are not shown, so the
report can be pasted. The exit code is 1 when there is a problem.

Examples:
  kiro-2api doctor
  kiro-2api doctor --offline --json | jq '.findings[] | select(.level == \"problem\")'";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    log_little(&source);
    let mut report = Report::new(!arguments.json);
    if !arguments.json {
        say(format_args!("Kiro-2API {}\n", env!("CARGO_PKG_VERSION")));
    }
    let mut config = machine::configuration(&mut report, &source);
    machine::key(&mut report, &config);
    machine::state(&mut report, &config);
    if let Err(error) = saved::join(&mut config) {
        report.problem("accounts", &error, "remove or correct that file");
    }
    machine::places(&mut report, &source, &config).await;
    accounts(&mut report, &arguments, &source, config).await;
    if arguments.json {
        say_json(&report.document())?;
    } else {
        say(report.summary());
    }
    Ok(exit_code(report.is_well()))
}

async fn accounts(
    report: &mut Report,
    arguments: &Arguments,
    source: &crate::config::Source,
    config: Config,
) {
    let service = Service::new(&config);
    let opened = InProcess::open(source, config).await;
    let (mut accounts, service) = match (opened, service) {
        (Ok(accounts), Ok(service)) => (accounts, service),
        (Err(error), _) | (_, Err(error)) => {
            return report.problem("accounts", &*error, "correct what is named");
        }
    };
    let members = match accounts.chosen(None) {
        Ok(members) => members,
        Err(none) => {
            let callers =
                "or let every caller bring a login: `Authorization: Bearer KEY:REFRESH_TOKEN`";
            return report.problem("accounts", &none, callers);
        }
    };
    let prompt = (!arguments.no_prompt).then_some(&*arguments.model);
    let mut asked = hosts::Hosts::default();
    for member in &members {
        let credential = account::read(report, member).await;
        if arguments.offline {
            continue;
        }
        if let Some(token) = account::ask(report, &mut accounts, &service, member, prompt).await {
            asked.add(service.hosts(&token));
        }
        asked.add(credential.and_then(|credential| service.sign_in_host(&credential)));
    }
    asked.knock(report, &service).await;
}
