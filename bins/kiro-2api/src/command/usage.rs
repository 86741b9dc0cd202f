//! `kiro-2api usage`: the credits of each account.

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
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
The exit code is 1 when an account could not be asked.

Examples:
  kiro-2api usage
  kiro-2api usage work --json | jq '.accounts[0].remaining'";

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
        let head = ["ACCOUNT", "PLAN", "WHAT", "USED", "LIMIT", "FULL AGAIN"];
        say(table(head, &rows));
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
    let name = member.name();
    let token = member.source().token().await.map_err(|error| Refused {
        error: with_causes(&error),
        remedy: remedy::of_auth(&error, name),
    })?;
    service.usage(&token).await.map_err(|error| Refused {
        error: with_causes(&error),
        remedy: remedy::of_call(&error, name),
    })
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
            "remaining": usage.remaining(),
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
