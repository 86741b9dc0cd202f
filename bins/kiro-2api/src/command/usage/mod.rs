//! `kiro-2api usage`: the credits of each account, from the service or from a gateway that runs.

mod gateway;

use std::process::ExitCode;

use kiro_protocol::rpc::{UsageBreakdown, UsageLimits};
use serde_json::{Value, json};

use super::{ConfigFile, Failure, exit_code};
use crate::accounts::Member;
use crate::in_process::{InProcess, configuration, log_little};
use crate::present::{epoch, say, say_json, table, time, with_causes};
use crate::remedy;
use crate::service::Service;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// One account [default: all]
    #[arg(value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
    /// Ask a gateway that runs, for example http://127.0.0.1:8000, in place of the service
    #[arg(long, value_name = "URL", conflicts_with = "account")]
    pub(super) gateway: Option<http::Uri>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
The exit code is 1 when an account could not be asked. A gateway is asked with the admin key, if the configuration has one, and
tells of all its accounts; else with PROXY_API_KEY, and tells what serves whoever has that key. What it says is up to five
minutes old.

Examples:
  kiro-2api usage
  kiro-2api usage --gateway http://127.0.0.1:8000
  kiro-2api usage work --json | jq '.accounts[0].remaining'";

/// Above the columns of the table.
const HEAD: [&str; 6] = ["ACCOUNT", "PLAN", "WHAT", "USED", "LIMIT", "FULL AGAIN"];

/// What is known of the credits of one account, or why nothing is.
struct Answer {
    name: String,
    asked: Result<UsageLimits, Refused>,
}

struct Refused {
    error: String,
    remedy: String,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    log_little(&source);
    if let Some(url) = &arguments.gateway {
        return gateway::run(&configuration(&source)?, url, arguments.json).await;
    }
    let accounts = InProcess::open(&source, configuration(&source)?).await?;
    let members = accounts.chosen(arguments.account.as_deref())?;
    let service = Service::new(accounts.config())?;
    let mut answers = Vec::new();
    for member in &members {
        answers.push(Answer {
            name: member.name().to_owned(),
            asked: ask(&service, member).await,
        });
    }
    if arguments.json {
        let answers: Vec<Value> = answers.iter().map(Answer::document).collect();
        say_json(&json!({"accounts": answers}))?;
    } else {
        let rows: Vec<[String; 6]> = answers.iter().flat_map(Answer::rows).collect();
        say(table(HEAD, &rows));
        for answer in &answers {
            if let Err(refused) = &answer.asked {
                eprintln!(
                    "{}: {}\n  -> {}",
                    answer.name, refused.error, refused.remedy
                );
            }
        }
    }
    Ok(exit_code(answers.iter().all(|answer| answer.asked.is_ok())))
}

async fn ask(service: &Service, member: &Member) -> Result<UsageLimits, Refused> {
    let token = match member.source().token().await {
        Ok(token) => token,
        Err(error) => {
            let again = remedy::sign_in_again(member).await;
            let remedy = remedy::of_auth(&error, &again);
            return Err(Refused::new(&error, remedy));
        }
    };
    match service.usage(&token).await {
        Ok(usage) => Ok(usage),
        Err(error) => {
            let again = remedy::sign_in_again(member).await;
            let remedy = remedy::of_call(&error, &again);
            Err(Refused::new(&error, remedy))
        }
    }
}

impl Refused {
    fn new(error: &dyn std::error::Error, remedy: String) -> Self {
        Self {
            error: with_causes(error),
            remedy,
        }
    }
}

impl Answer {
    fn rows(&self) -> Vec<[String; 6]> {
        let Ok(usage) = &self.asked else {
            return Vec::new();
        };
        let plan = usage.subscription.title.clone().unwrap_or_default();
        let row = |part: &UsageBreakdown| {
            let what = part.display_name.as_ref().or(part.resource_type.as_ref());
            [
                self.name.clone(),
                plan.clone(),
                what.cloned().unwrap_or_default(),
                amount(part.used),
                amount(part.limit),
                reset(part.next_reset.or(usage.next_reset)).unwrap_or_default(),
            ]
        };
        usage.breakdown.iter().map(row).collect()
    }

    fn document(&self) -> Value {
        let usage = match &self.asked {
            Ok(usage) => usage,
            Err(refused) => {
                return json!({
                    "account": self.name,
                    "error": refused.error,
                    "remedy": refused.remedy,
                });
            }
        };
        let part = |part: &UsageBreakdown| {
            json!({
                "resource": part.resource_type,
                "used": part.used,
                "limit": part.limit,
                "overage_used": part.overage.used,
            })
        };
        json!({
            "account": self.name,
            "plan": usage.subscription.title,
            "remaining": usage.included_left(),
            "resets_at": reset(usage.next_reset),
            "overage_enabled": usage.overage_enabled,
            "resources": usage.breakdown.iter().map(part).collect::<Vec<_>>(),
        })
    }
}

fn amount(amount: Option<f64>) -> String {
    amount.map_or("-".to_owned(), |amount| format!("{amount:.2}"))
}

fn reset(seconds: Option<u64>) -> Option<String> {
    seconds.and_then(epoch).map(time)
}
